/* SPDX-License-Identifier: Apache-2.0 */

/* The tables of all channels, as data. A new channel is an include and two lines. */

#include "common/message_fields.h"

#include "common/cleanup.h"
#include "common/messages/api.h"
#include "common/messages/artifacts.h"
#include "common/messages/channels.h"
#include "common/messages/config.h"
#include "common/messages/deliveries.h"
#include "common/messages/fetching.h"
#include "common/messages/host.h"
#include "common/messages/images.h"
#include "common/messages/layers.h"
#include "common/messages/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- a table becomes an array of struct field ---- */

#define TAG(M, KIND, ...) TAG_NAME(M, __VA_ARGS__, )
#define TAG_NAME(M, name, ...) MESSAGE_TAG_##M##_##name,
#define LINE(M, KIND, ...) {LINE_##KIND(M, __VA_ARGS__)},
#define LINE_PLACE(M, name)                                                                        \
	FIELD_PLACE(MESSAGE_TAG_##M##_##name, struct message_##M, name),                           \
		FIELD_ONE(struct message_##M, name)
#define LINE_STRING(M, name, most_) LINE_PLACE(M, name), .type = FIELD_TYPE_STRING, .most = (most_)
#define LINE_NUMBER(M, name, most_) LINE_PLACE(M, name), .type = FIELD_TYPE_UINT, .most = (most_)
#define LINE_FLAG(M, name) LINE_PLACE(M, name), .type = FIELD_TYPE_BOOL
#define LINE_ENUM(M, name, tag, number) LINE_NUMBER(M, name, (number)-1)
#define LINE_TEXT(M, name, most) LINE_STRING(M, name, most)
#define LINE_SENTENCE(M, name, most) LINE_STRING(M, name, most), .flags = FIELD_CUT
#define LINE_SECRET(M, name, most) LINE_STRING(M, name, most), .flags = FIELD_HIDDEN
#define LINE_BYTES(M, name, most_) LINE_PLACE(M, name), .type = FIELD_TYPE_BLOB, .most = (most_)
#define LINE_FD(M, name) LINE_PLACE(M, name), .type = FIELD_TYPE_FD
#define LINE_FD_OR_NONE(M, name) LINE_FD(M, name), .flags = FIELD_NONE
#define LINE_RECORD(M, name, record_)                                                              \
	LINE_PLACE(M, name), .type = FIELD_TYPE_RECORD, .record = &message_fields_##record_
#define LINE_LIST(M, name_, record_, most_)                                                        \
	FIELD_PLACE(MESSAGE_TAG_##M##_##name_, struct message_##M, name_),                         \
		.size = sizeof(void *), .count = 1, .stride = sizeof(void *),                      \
		.type = FIELD_TYPE_LIST, .counter = offsetof(struct message_##M, n_##name_),       \
		.record = &message_fields_##record_, .most = (most_)

#define FDS(M, KIND, ...) +FDS_##KIND
#define FDS_NUMBER 0
#define FDS_FLAG 0
#define FDS_ENUM 0
#define FDS_TEXT 0
#define FDS_SENTENCE 0
#define FDS_SECRET 0
#define FDS_BYTES 0
#define FDS_FD 1
#define FDS_FD_OR_NONE 1
#define FDS_RECORD 0 /* descriptors are fields of messages alone */
#define FDS_LIST 0

#define RECORD_DEFINE(NAME, name_)                                                                 \
	enum { MESSAGE_TAG_OF_##name_, NAME##_FIELDS(TAG, name_) };                                \
	static const struct field fields_of_##name_[] = {NAME##_FIELDS(LINE, name_)};              \
	const struct field_table message_fields_##name_ = {                                        \
		.name = #NAME,                                                                     \
		.size = sizeof(struct message_##name_),                                            \
		.fields = fields_of_##name_,                                                       \
		.n_fields = ARRAY_SIZE(fields_of_##name_),                                         \
	};
#define MESSAGE_DEFINE(NAME, name_)                                                                \
	RECORD_DEFINE(NAME, name_)                                                                 \
	_Static_assert((0 NAME##_FIELDS(FDS, name_)) == (TABLE_FDS_##NAME),                        \
		       #NAME " has other descriptors in common/message_table.h");                  \
	const struct message_format message_format_##name_ = {                                     \
		.type = MESSAGE_##NAME,                                                            \
		.table = &message_fields_##name_,                                                  \
		.length_max = MESSAGE_ROOM_OF_##name_,                                             \
		.n_fds = (0 NAME##_FIELDS(FDS, name_)),                                            \
	};
#define FORMAT_OF(NAME, name_) [MESSAGE_##NAME] = &message_format_##name_,
#define FDS_IN_TABLE(NAME, from, to, length, fds) TABLE_FDS_##NAME = (fds),

enum { MESSAGE_TABLE(FDS_IN_TABLE) };

MESSAGES_CHANNELS(MESSAGE_DEFINE)
MESSAGES_CONFIG_RECORDS(RECORD_DEFINE)
MESSAGES_CONFIG(MESSAGE_DEFINE)
MESSAGES_HOST(MESSAGE_DEFINE)
MESSAGES_STEPS_RECORDS(RECORD_DEFINE)
MESSAGES_STEPS(MESSAGE_DEFINE)
MESSAGES_FETCHING(MESSAGE_DEFINE)
MESSAGES_DELIVERIES(MESSAGE_DEFINE)
MESSAGES_ARTIFACTS(MESSAGE_DEFINE)
MESSAGES_LAYERS(MESSAGE_DEFINE)
MESSAGES_IMAGES(MESSAGE_DEFINE)
MESSAGES_API_RECORDS(RECORD_DEFINE)
MESSAGES_API(MESSAGE_DEFINE)

static const struct message_format *const formats[MESSAGE_NUM_TYPES] = {
	MESSAGES_CHANNELS(FORMAT_OF)   /* */
	MESSAGES_CONFIG(FORMAT_OF)     /* */
	MESSAGES_HOST(FORMAT_OF)       /* */
	MESSAGES_STEPS(FORMAT_OF)      /* */
	MESSAGES_FETCHING(FORMAT_OF)   /* */
	MESSAGES_DELIVERIES(FORMAT_OF) /* */
	MESSAGES_ARTIFACTS(FORMAT_OF)  /* */
	MESSAGES_LAYERS(FORMAT_OF)     /* */
	MESSAGES_IMAGES(FORMAT_OF)     /* */
	MESSAGES_API(FORMAT_OF)	       /* */
};

const struct message_format *message_format(unsigned type)
{
	return type < MESSAGE_NUM_TYPES ? formats[type] : NULL;
}

/* ---- building ---- */

static void message_refuse(struct message *message, const struct error *error)
{
	message->failed = -error->number;
	(void)snprintf(message->problem, sizeof(message->problem), "%s", error->text);
}

/* Duplicates of what the fields name, in their order. */
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

/* By the reader of the receiver, so that both can only mean the same bounds. */
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
	/* on the heap: threads of the api have small stacks, which thread-local data is part of */
	message->payload = malloc(size > 0 ? size : 1);
	if (!message->payload)
		return message_free(message);
	(void)fields_pack(format->table, fields, message->payload, size);
	/* within the bounds there is room for it; what is cut off fails the check */
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
	const struct message_info *info = message_info(message->type);
	const struct message_format *format = message_format(message->type);
	cleanup_free void *fields = NULL;
	size_t used;

	used = (size_t)snprintf(out, size, "%s ", info ? info->name : "unknown");
	if (!format || used >= size)
		return;
	fields = calloc(1, format->table->size + 1);
	if (fields && message_read(message, format, fields) == 0)
		fields_line(format->table, fields, out + used, size - used);
	else
		(void)snprintf(out + used, size - used, "%s", message->problem);
}
