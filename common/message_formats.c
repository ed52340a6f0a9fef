/* SPDX-License-Identifier: Apache-2.0 */

/* The tables of all channels as data. A new channel needs an include and a line in MESSAGES(). */

#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/artifacts.h"
#include "common/messages/channels.h"
#include "common/messages/config.h"
#include "common/messages/deliveries.h"
#include "common/messages/fetching.h"
#include "common/messages/host.h"
#include "common/messages/images.h"
#include "common/messages/layers.h"
#include "common/messages/starter.h"
#include "common/messages/steps.h"

static const struct message_info infos[] = {
#define MESSAGE_INFO(name, from, to, fds) [MESSAGE_##name] = {#name, from, to, fds},
	MESSAGE_TABLE(MESSAGE_INFO)
#undef MESSAGE_INFO
};
_Static_assert(ARRAY_SIZE(infos) == MESSAGE_NUM_TYPES, "one line per message type");

const struct message_info *message_info(unsigned type)
{
	if (type == MESSAGE_INVALID || type >= MESSAGE_NUM_TYPES)
		return NULL;
	return &infos[type];
}

/* ---- expansion of a table to an array of struct field ---- */

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
#define FDS_RECORD 0 /* records have no descriptors */
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
	enum { HAS_FIELDS_##NAME = 1 };                                                            \
	const struct message_format message_format_##name_ = {                                     \
		.type = MESSAGE_##NAME,                                                            \
		.table = &message_fields_##name_,                                                  \
		.length_max = MESSAGE_ROOM_OF_##name_,                                             \
		.n_fds = (0 NAME##_FIELDS(FDS, name_)),                                            \
	};
#define FORMAT_OF(NAME, name_) [MESSAGE_##NAME] = &message_format_##name_,
#define FDS_IN_TABLE(NAME, from, to, fds) TABLE_FDS_##NAME = (fds),

enum { MESSAGE_TABLE(FDS_IN_TABLE) };

#define RECORDS(X) MESSAGES_CONFIG_RECORDS(X) MESSAGES_STEPS_RECORDS(X) MESSAGES_API_RECORDS(X)
#define MESSAGES(X)                                                                                \
	MESSAGES_CHANNELS(X)   /* */                                                               \
	MESSAGES_CONFIG(X)     /* */                                                               \
	MESSAGES_HOST(X)       /* */                                                               \
	MESSAGES_STEPS(X)      /* */                                                               \
	MESSAGES_FETCHING(X)   /* */                                                               \
	MESSAGES_STARTER(X)    /* */                                                               \
	MESSAGES_DELIVERIES(X) /* */                                                               \
	MESSAGES_ARTIFACTS(X)  /* */                                                               \
	MESSAGES_LAYERS(X)     /* */                                                               \
	MESSAGES_IMAGES(X)     /* */                                                               \
	MESSAGES_API(X)	       /* */

RECORDS(RECORD_DEFINE)
MESSAGES(MESSAGE_DEFINE)

/* For a message without a table of fields this is an undeclared name, so compiling fails. */
#define HAS_FIELDS(NAME, from, to, fds) _Static_assert(HAS_FIELDS_##NAME, #NAME " has no fields");
MESSAGE_TABLE(HAS_FIELDS)

static const struct message_format *const formats[MESSAGE_NUM_TYPES] = {MESSAGES(FORMAT_OF)};

const struct message_format *message_format(unsigned type)
{
	return type < MESSAGE_NUM_TYPES ? formats[type] : NULL;
}
