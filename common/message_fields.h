/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGE_FIELDS_H
#define COMMON_MESSAGE_FIELDS_H

/*
 * DOC: Fields of messages
 *
 * The fields of each message are one table, in the header of its channel under
 * common/messages/. Everything else is derived from it: the struct that both sides fill and
 * read, the format on the wire with its bounds, the line in a debug log, the messages of tests
 * in Python (tests/messages.py), and the seeds of the fuzz target. A table looks like this:
 *
 *   #define STEP_CANCEL_FIELDS(X, M)                          \
 *	X(M, NUMBER, order, UINT64_MAX)                          \
 *	X(M, ENUM, why, step_result, STEP_RESULT_NUM)
 *
 * M is the message's own name, which the table only passes on. The kinds:
 *
 *   NUMBER(name, most)        uint64_t
 *   FLAG(name)                bool
 *   ENUM(name, tag, number)   enum tag, below number
 *   TEXT(name, most)          const char *, at most so many bytes; NULL is sent as ""
 *   SENTENCE(name, most)      a TEXT for people: the sender cuts it if it is too long
 *   SECRET(name, most)        a TEXT that is never printed
 *   BYTES(name, most)         struct field_blob, never printed
 *   FD(name)                  int, a descriptor
 *   FD_OR_NONE(name)          an optional descriptor: without one the sender sets 0 (or
 *                             omits it) or -1, and the receiver gets -1
 *   RECORD(name, record)      struct message_<record>, another table
 *   LIST(name, record, most)  const struct message_<record> *name, size_t n_<name>
 *
 * No program of ours exceeds the bounds: such a message is not sent, and on reception it closes
 * its sender's channel. So mistakes of people must fit into the bounds; the receiver checks for
 * them and replies with an error.
 *
 * Sender:    channel_send(channel, MESSAGE_NEW(step_cancel, serial, .order = 7,
 *                                              .why = STEP_RESULT_CANCELLED));
 * Receiver:  struct message_step_cancel cancel;
 *            int r = MESSAGE_GET(message, step_cancel, &cancel);
 *
 * Received texts and lists point into the message and live as long as it. It also owns and
 * closes the descriptors, except those taken with message_take_fd().
 */

#include "common/fields.h"
#include "common/message.h"

/** struct message_format - one message and its table */
struct message_format {
	unsigned type; /* enum message_type */
	const struct field_table *table;
	unsigned length_max; /* bytes of the largest payload within the bounds */
	unsigned n_fds;
};

/** message_format() - the format of a type, NULL for an unknown one */
const struct message_format *message_format(unsigned type);

/**
 * message_build() - make a message from the struct @fields; use MESSAGE_NEW()
 *
 * Return: NULL if out of memory. A message that exceeds a bound is marked as failed:
 * channel_send() logs the field and does not send it.
 */
struct message *message_build(const struct message_format *format, uint64_t serial,
			      const void *fields);
/**
 * message_read() - read the fields of @message; use MESSAGE_GET()
 *
 * Return: 0; -errno with the reason in @message, which the channel logs.
 */
int message_read(struct message *message, const struct message_format *format, void *ret_fields);
/**
 * message_take_fd() - pass ownership of the descriptor @fd of @message to the caller
 *
 * Return: @fd, -1 for -1. Descriptors that are not taken are closed with the message.
 */
int message_take_fd(struct message *message, int fd);
/** message_print() - write name and fields on one line, without secrets, for logs */
void message_print(struct message *message, char *out, size_t size);

#define MESSAGE_NEW(name, serial, ...)                                                             \
	message_build(&message_format_##name, (serial), &(const struct message_##name){__VA_ARGS__})
/* the conditional lets the compiler check that @ret is a struct message_<name> * */
#define MESSAGE_GET(message, name, ret)                                                            \
	message_read((message), &message_format_##name, 1 ? (ret) : (struct message_##name *)NULL)

/* ---- expansions of a table: X(M, kind, name, …) with one of these for X ---- */

#define MESSAGE_MEMBER(M, KIND, ...) MESSAGE_MEMBER_##KIND(__VA_ARGS__)
#define MESSAGE_MEMBER_NUMBER(name, most) uint64_t name;
#define MESSAGE_MEMBER_FLAG(name) bool name;
#define MESSAGE_MEMBER_ENUM(name, tag, number) enum tag name;
#define MESSAGE_MEMBER_TEXT(name, most) const char *name;
#define MESSAGE_MEMBER_SENTENCE(name, most) const char *name;
#define MESSAGE_MEMBER_SECRET(name, most) const char *name;
#define MESSAGE_MEMBER_BYTES(name, most) struct field_blob name;
#define MESSAGE_MEMBER_FD(name) int name;
#define MESSAGE_MEMBER_FD_OR_NONE(name) int name;
#define MESSAGE_MEMBER_RECORD(name, record) struct message_##record name;
#define MESSAGE_MEMBER_LIST(name, record, most)                                                    \
	const struct message_##record *name;                                                       \
	size_t n_##name;

/* bytes on the wire within the bounds, with the eight bytes before each field */
#define MESSAGE_ROOM(M, KIND, ...) +8 + (MESSAGE_ROOM_##KIND(__VA_ARGS__))
#define MESSAGE_ROOM_NUMBER(name, most) 8
#define MESSAGE_ROOM_FLAG(name) 1
#define MESSAGE_ROOM_ENUM(name, tag, number) sizeof(enum tag)
#define MESSAGE_ROOM_TEXT(name, most) (most) + 1
#define MESSAGE_ROOM_SENTENCE(name, most) (most) + 1
#define MESSAGE_ROOM_SECRET(name, most) (most) + 1
#define MESSAGE_ROOM_BYTES(name, most) (most)
#define MESSAGE_ROOM_FD(name) 1
#define MESSAGE_ROOM_FD_OR_NONE(name) 1
#define MESSAGE_ROOM_RECORD(name, record) MESSAGE_ROOM_OF_##record
#define MESSAGE_ROOM_LIST(name, record, most) (most) * (8 + MESSAGE_ROOM_OF_##record)

/** MESSAGE_RECORD() - declare the struct of the table NAME_FIELDS(), for use in other tables */
#define MESSAGE_RECORD(NAME, name)                                                                 \
	struct message_##name {                                                                    \
		NAME##_FIELDS(MESSAGE_MEMBER, name)                                                \
	};                                                                                         \
	enum { MESSAGE_ROOM_OF_##name = 0 NAME##_FIELDS(MESSAGE_ROOM, name) };                     \
	extern const struct field_table message_fields_##name;

/** MESSAGE_DECLARE() - the same for a message */
#define MESSAGE_DECLARE(NAME, name)                                                                \
	MESSAGE_RECORD(NAME, name)                                                                 \
	_Static_assert(MESSAGE_ROOM_OF_##name <= MESSAGE_BYTES_MAX, #NAME " is too large");        \
	extern const struct message_format message_format_##name;

#endif
