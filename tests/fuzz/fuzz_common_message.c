/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any packet of any channel: decode it, read its fields, print them, and encode it again. An
 * accepted packet must come out byte for byte. Each start writes the seeds, which are made from
 * the tables, into the first directory of the command line.
 */
#include "tests/unit/message_samples.h"

#include "common/message_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int null_fd;

static void seed_write(const char *directory, const struct message_format *format,
		       enum sample sample)
{
	struct message *message = sample_message(format, sample, null_fd);
	uint8_t *data = NULL;
	char path[4096];
	size_t size = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/seed-%s-%d", directory, format->table->name,
		       (int)sample);
	file = message_encode(message, &data, &size) == 0 ? fopen(path, "we") : NULL;
	if (!file || fwrite(data, 1, size, file) != size)
		abort();
	(void)fclose(file);
	free(data);
	(void)message_free(message);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *directory = NULL;

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 1; i < *argc && !directory; i++)
		directory = (*argv)[i][0] != '-' ? (*argv)[i] : NULL;
	for (unsigned type = 1; directory && type < MESSAGE_NUM_TYPES; type++) {
		for (int sample = 0; sample < SAMPLE_NUM; sample++)
			seed_write(directory, message_format(type), sample);
	}
	return 0;
}

static void compare(const struct message *message, const struct message_format *format,
		    const void *fields)
{
	struct message *again = message_build(format, message->serial, fields);

	if (!again || again->failed || again->length != message->length ||
	    again->n_fds != message->n_fds ||
	    (message->length > 0 && memcmp(again->payload, message->payload, message->length) != 0))
		abort();
	(void)message_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message_format *format;
	struct message *message = NULL;
	int fds[MESSAGE_FDS_MAX];
	char text[256];
	size_t n_fds = size > 6 && data[6] <= MESSAGE_FDS_MAX ? data[6] : 0;
	void *fields;

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = fcntl(null_fd, F_DUPFD_CLOEXEC, 3);
	if (message_decode(data, size, fds, n_fds, &message) < 0) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		return 0;
	}
	message_print(message, text, sizeof(text));
	format = message_format(message->type);
	fields = calloc(1, format->table->size + 1);
	if (message_read(message, format, fields) == 0)
		compare(message, format, fields);
	else if (!message->problem[0])
		abort(); /* a refusal names message and field */
	free(fields);
	(void)message_free(message);
	return 0;
}
