/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any index of a log (.idx), with times of lines and the hole of a log that was cut. The input is
 * where to begin, how the reader is used, and the index; the log is made here. For any index, the
 * reader returns bytes of the log or the text for a hole, comes to an end, and writes no more than
 * fits.
 */
#include "api/log_reader.h"
#include "api/timestamps.h"
#include "common/cleanup.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOG_BYTES 3000
#define TURNS_MAX 10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[LOG_BYTES];

static int memory_of(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

static void text_make(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 37 == 36 ? '\n' : (char)('a' + i % 26);
}

/* Make lines with times from @n bytes of the log at @offset. */
static void stamp(struct timestamps *timestamps, const char *raw, size_t n, uint64_t offset)
{
	char out[LOG_BYTES];
	size_t room = TIMESTAMP_LENGTH + 1 + n % 500, used = 0;

	while (used < n) {
		size_t written = SIZE_MAX;
		size_t part = timestamps_apply(timestamps, raw + used, n - used, offset + used, out,
					       room, &written);

		if (written > room || part > n - used || part == 0)
			abort();
		used += part;
	}
}

static void read_all(struct log_reader *reader, struct timestamps *timestamps)
{
	char buffer[700], note[100];
	struct log_cut cut;

	for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
		uint64_t offset = reader->offset;
		ssize_t n = log_reader_log(reader, buffer, sizeof(buffer));
		size_t noted = 0, part;

		if (n < 0)
			return;
		while ((part = log_reader_text(reader, note, sizeof(note))) > 0)
			noted += part;
		if (n == 0 && noted == 0)
			return;
		if (noted > LOG_CUT_TEXT_MAX || (noted && n))
			abort();
		if (noted && timestamps && log_cut_read(reader->index_fd, &cut) == 0)
			timestamps_skip(timestamps, &cut);
		if (n == 0)
			continue;
		if ((size_t)n > sizeof(buffer) || offset + (size_t)n > LOG_BYTES ||
		    memcmp(buffer, text + offset, (size_t)n) != 0)
			abort();
		if (timestamps)
			stamp(timestamps, buffer, (size_t)n, offset);
		reader->offset += (size_t)n;
	}
	abort(); /* the reader does not end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_close int log_fd = -1, index_fd = -1;
	struct timestamps timestamps;
	struct log_reader reader;
	struct log_cut cut;
	uint16_t offset;
	uint8_t how;

	if (size < sizeof(offset) + sizeof(how))
		return 0;
	memcpy(&offset, data, sizeof(offset));
	how = data[sizeof(offset)];
	if (!text[0])
		text_make();
	log_fd = memory_of(text, sizeof(text));
	index_fd = memory_of(data + 3, size - 3);
	reader = (struct log_reader){.log_fd = log_fd,
				     .index_fd = how & 1 ? -1 : index_fd,
				     .offset = offset,
				     .end = how & 2 ? offset + 900U : UINT64_MAX,
				     .no_text = (how & 4) != 0};
	if (how & 8)
		(void)log_reader_announce(&reader, &cut);
	read_all(&reader, timestamps_init(&timestamps, index_fd) == 0 ? &timestamps : NULL);
	return 0;
}
