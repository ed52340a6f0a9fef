/* SPDX-License-Identifier: Apache-2.0 */
#include "api/log_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool hole_now(const struct log_reader *reader, struct log_cut *ret_cut)
{
	return reader->index_fd >= 0 && log_cut_read(reader->index_fd, ret_cut) == 0 &&
	       ret_cut->end > ret_cut->start;
}

bool log_reader_announce(struct log_reader *reader, struct log_cut *ret_cut)
{
	bool ahead = hole_now(reader, ret_cut) && reader->offset < ret_cut->end;

	reader->announced = true;
	reader->announced_end = ahead ? ret_cut->end : 0;
	return ahead;
}

/* Move the position from within the hole to its end. Return: 0 with the text ready, or -ESTALE. */
static int jump(struct log_reader *reader, const struct log_cut *cut)
{
	if (reader->no_text || (reader->announced && reader->announced_end != cut->end))
		return -ESTALE;
	reader->text_size = log_cut_text(cut, reader->text);
	reader->text_sent = 0;
	reader->offset = cut->end;
	return 0;
}

ssize_t log_reader_log(struct log_reader *reader, char *buffer, size_t max)
{
	struct log_cut cut;
	ssize_t n;

	if (reader->offset >= reader->end)
		return 0;
	if (max > reader->end - reader->offset)
		max = (size_t)(reader->end - reader->offset);
	n = pread(reader->log_fd, buffer, max, (off_t)reader->offset);
	if (n < 0)
		return -errno;
	/* the index gets a hole before the log does: bytes that no hole covers now are genuine */
	if (!hole_now(reader, &cut) || reader->offset >= cut.end)
		return n;
	if (reader->offset >= cut.start)
		return jump(reader, &cut);
	return (uint64_t)n > cut.start - reader->offset ? (ssize_t)(cut.start - reader->offset) : n;
}

size_t log_reader_text(struct log_reader *reader, char *buffer, size_t max)
{
	size_t n = reader->text_size - reader->text_sent;

	if (n > max)
		n = max;
	memcpy(buffer, reader->text + reader->text_sent, n);
	reader->text_sent += n;
	return n;
}
