/* SPDX-License-Identifier: Apache-2.0 */
#include "common/message_fields.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- building ---- */

static void message_refuse(struct message *message, const struct error *error)
{
	message->failed = -error->number;
	(void)snprintf(message->problem, sizeof(message->problem), "%s", error->text);
}

/* Adds duplicates of the fields' descriptors to @message, in the order of the fields. */
static int fds_add(struct message *message, const struct field_table *table, const char *fields,
		   struct error *error)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		int fd, copy;

		if (field->type != FIELD_TYPE_FD)
			continue;
		fd = *(const int *)(const void *)(fields + field->offset);
		if (fd <= 0)
			continue;
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0)
			return error_errno(error, errno, "%s.%s", table->name, field->name);
		message->fds[message->n_fds++] = copy;
	}
	return 0;
}

/* Checks with the receiver's reader, so that both sides have the same bounds. */
static int fields_check(const struct message *message, const struct field_table *table,
			struct error *error)
{
	struct fields_extra extra = {.fds = message->fds, .n_fds = message->n_fds};

	return fields_accept(table, message->payload, message->length, &extra, NULL, error);
}

struct message *message_build(const struct message_format *format, uint64_t serial,
			      const void *fields)
{
	struct message *message = message_new(format->type, serial);
	struct error error = {.number = 0};
	size_t size = fields_pack(format->table, fields, NULL, 0);
	int r;

	if (!message)
		return NULL;
	/* not thread-local, which would use up the small stacks of the api's threads */
	message->payload = malloc(size > 0 ? size : 1);
	if (!message->payload)
		return message_free(message);
	(void)fields_pack(format->table, fields, message->payload, size);
	/* a message within the bounds fits; one that is cut here fails the check */
	message->length = (uint32_t)(size < MESSAGE_BYTES_MAX ? size : MESSAGE_BYTES_MAX);
	r = fds_add(message, format->table, fields, &error);
	if (r == 0)
		r = fields_check(message, format->table, &error);
	if (r < 0)
		message_refuse(message, &error);
	return message;
}

/* ---- reading ---- */

int message_read(struct message *message, const struct message_format *format, void *ret_fields)
{
	struct fields_extra extra = {.fds = message->fds, .n_fds = message->n_fds};
	struct error error = {.number = 0};
	int r;

	if (message->type != format->type)
		return -EBADMSG;
	message->memory = fields_memory_free(message->memory);
	r = fields_accept(format->table, message->payload, message->length, &extra, ret_fields,
			  &error);
	message->memory = extra.memory;
	if (r < 0)
		message_refuse(message, &error);
	return r;
}

int message_take_fd(struct message *message, int fd)
{
	for (size_t i = 0; fd >= 0 && i < message->n_fds; i++) {
		if (message->fds[i] == fd)
			return TAKE_FD(message->fds[i]);
	}
	return -1;
}

void message_print(struct message *message, char *out, size_t size)
{
	const struct message_format *format = message_format(message->type);
	cleanup_free void *fields = NULL;
	size_t used = (size_t)snprintf(out, size, "%s ", format->table->name);

	if (used >= size)
		return;
	fields = calloc(1, format->table->size + 1);
	if (fields && message_read(message, format, fields) == 0)
		fields_line(format->table, fields, out + used, size - used);
	else
		(void)snprintf(out + used, size - used, "%s", message->problem);
}
