/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_PEERS_H
#define TESTS_FUZZ_PEERS_H

/*
 * DOC: Sequences of messages to a program's handlers
 *
 * The program's own loop and channels run in this process; the target has the other ends of the
 * channels. Whenever the loop is idle, the next record of the input is sent:
 *
 *   u8 peer, u16 type, u8 serial, then fields, each a letter and
 *     'u' u8                a number        'U' u64 little-endian
 *     's' u8 length, bytes  a string        'S' u16 length, bytes
 *     'b' u16 length, bytes
 *     'f' u16 length, bytes a sealed memfd with these bytes
 *     'F' u8 kind           another descriptor (enum below)
 *     'k'                   the first number of the last message that gave work to this peer
 *     'l' u8 count          so many elements of a list follow, field by field
 *     'n'                   nothing: 0, "" or no descriptor
 *   and any other byte ends the message.
 *
 * The fields of a message's table (common/message_fields.h) get the values in their order. A
 * message whose values break its bounds is not sent.
 *
 * A type is a hash of its name, so that seeds outlive changes of the table; a number that is not
 * such a hash chooses one of the messages that this peer may send, or one of the target's own
 * verbs. A serial of 255 means that of the last message to this peer. Malformed packets are the
 * subject of fuzz_common_message.
 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/message_table.h"
#include "common/messages/channels.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 6
#define SERIAL_LAST 255
#define RECORDS_MAX 200

enum input_fd { INPUT_FD_PIPE, INPUT_FD_NULL, INPUT_FD_DIRECTORY, INPUT_FD_SOCKET, INPUT_FD_NUM };

struct input {
	const uint8_t *data;
	size_t size;
};

struct fuzz_peer {
	enum process_role role;
	int fd; /* the target's end; -1: none */
	uint64_t last_serial;
	uint64_t last_number;
};

/*
 * Prepare the process as program_run() does: a closed pipe is an error, not a signal. Refusals are
 * expected and not logged; FUZZ_LOG=debug shows them.
 */
static inline void program_prepare(void)
{
	const char *level = getenv("FUZZ_LOG");

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("RUNBOOK_LOG_TARGET", "stderr", 1);
	if (level)
		(void)setenv("RUNBOOK_LOG_LEVEL", level, 1);
	log_open("fuzz");
	if (!level)
		log_set_level((enum log_level)0);
}

static inline uint8_t input_byte(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* Read a block, whose length comes first in @width bytes. Return: *@ret_size bytes of the input. */
static inline const uint8_t *input_block(struct input *input, unsigned width, size_t *ret_size)
{
	size_t size = input_byte(input);
	const uint8_t *block;

	if (width == 2)
		size += (size_t)input_byte(input) << 8;
	if (size > input->size)
		size = input->size;
	block = input->data;
	input->data += size;
	input->size -= size;
	*ret_size = size;
	return block;
}

static inline int input_memfd(struct input *input)
{
	size_t size;
	const uint8_t *block = input_block(input, 2, &size);
	int fd = memfd_sealed("fuzz", block, size);

	if (fd < 0)
		abort();
	return fd;
}

static inline int input_special(struct input *input)
{
	int pair[2] = {-1, -1};

	switch (input_byte(input) % INPUT_FD_NUM) {
	case INPUT_FD_PIPE:
		if (pipe2(pair, O_CLOEXEC) < 0)
			abort();
		break;
	case INPUT_FD_NULL:
		pair[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	case INPUT_FD_DIRECTORY:
		pair[0] = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
		break;
	default:
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
	}
	if (pair[1] >= 0)
		(void)close(pair[1]);
	return pair[0];
}

static inline uint64_t input_number(struct input *input)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number |= (uint64_t)input_byte(input) << (8 * i);
	return number;
}

/** struct value - the value of a field, for any letter */
struct value {
	char letter;
	uint64_t number;
	const uint8_t *block; /* in the input, not terminated */
	size_t size;
	int fd; /* -1: none; owned by the caller of input_value() */
};

/* Read a value. Return: false at the end of the message. */
static inline bool input_value(struct input *input, const struct fuzz_peer *peer,
			       struct value *value)
{
	*value = (struct value){.letter = (char)input_byte(input), .fd = -1};
	switch (value->letter) {
	case 'u':
	case 'l':
		value->number = input_byte(input);
		return true;
	case 'U':
		value->number = input_number(input);
		return true;
	case 'k':
		value->number = peer->last_number;
		return true;
	case 's':
		value->block = input_block(input, 1, &value->size);
		return true;
	case 'S':
	case 'b':
		value->block = input_block(input, 2, &value->size);
		return true;
	case 'f':
		value->fd = input_memfd(input);
		return true;
	case 'F':
		value->fd = input_special(input);
		return true;
	case 'n':
		return true;
	default:
		return false;
	}
}

/* ---- messages ---- */

static inline void fields_clear(const struct field_table *table, char *object)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		char *at = object + field->offset;

		if (field->type == FIELD_TYPE_FD && *(int *)(void *)at >= 0)
			(void)close(*(int *)(void *)at);
		if (field->type == FIELD_TYPE_RECORD)
			fields_clear(field->record, at);
		if (field->type == FIELD_TYPE_STRING)
			free(*(char **)(void *)at);
		if (field->type != FIELD_TYPE_LIST || !*(char **)(void *)at)
			continue;
		for (size_t k = 0; k < *(size_t *)(void *)(object + field->counter); k++)
			fields_clear(field->record, *(char **)(void *)at + k * field->record->size);
		free(*(char **)(void *)at);
	}
}

static inline bool fields_fill(const struct field_table *table, char *object, struct input *input,
			       const struct fuzz_peer *peer, bool more);

static inline bool list_fill(const struct field *field, char *object, size_t count,
			     struct input *input, const struct fuzz_peer *peer)
{
	char *elements;
	bool more = true;

	if (count > field->most)
		count = field->most;
	elements = calloc(count + 1, field->record->size);
	if (!elements)
		abort();
	*(char **)(void *)(object + field->offset) = elements;
	*(size_t *)(void *)(object + field->counter) = count;
	for (size_t k = 0; k < count; k++)
		more = fields_fill(field->record, elements + k * field->record->size, input, peer,
				   more);
	return more;
}

static inline void value_set(const struct field *field, char *at, const struct value *value)
{
	uint64_t number = value->number;

	switch (field->type) {
	case FIELD_TYPE_STRING:
		*(char **)(void *)at =
			value->block ? strndup((const char *)value->block, value->size) : NULL;
		break;
	case FIELD_TYPE_BLOB:
		*(struct field_blob *)(void *)at = (struct field_blob){value->block, value->size};
		break;
	case FIELD_TYPE_FD:
		*(int *)(void *)at = value->fd;
		return;
	case FIELD_TYPE_BOOL:
		*(bool *)(void *)at = number & 1;
		break;
	case FIELD_TYPE_LIST:
		break;
	default:
		memcpy(at, &number, field->size);
	}
	if (value->fd >= 0)
		(void)close(value->fd);
}

/* Fill in @object. @more: may the input have values for it? Return: may it have more? */
static inline bool fields_fill(const struct field_table *table, char *object, struct input *input,
			       const struct fuzz_peer *peer, bool more)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		struct value value = {.fd = -1};

		if (field->type == FIELD_TYPE_RECORD) {
			more = fields_fill(field->record, object + field->offset, input, peer,
					   more);
			continue;
		}
		more = more && input->size > 0 && input_value(input, peer, &value);
		value_set(field, object + field->offset, &value);
		if (field->type == FIELD_TYPE_LIST && more)
			more = list_fill(field, object, (size_t)value.number, input, peer);
	}
	return more;
}

static inline struct message *input_message(struct input *input, const struct fuzz_peer *peer,
					    const struct message_format *format, uint64_t serial)
{
	char *fields = calloc(1, format->table->size + 1);
	struct message *message;
	struct value rest;

	if (!fields)
		abort();
	if (fields_fill(format->table, fields, input, peer, true)) {
		while (input->size > 0 && input_value(input, peer, &rest)) {
			if (rest.fd >= 0)
				(void)close(rest.fd);
		}
	}
	message = message_build(format, serial, fields);
	fields_clear(format->table, fields);
	free(fields);
	return message;
}

/* ---- records ---- */

static inline uint16_t name_hash(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	return (uint16_t)(hash ^ hash >> 16);
}

/* Return: a type, or a verb from MESSAGE_NUM_TYPES on. */
static inline unsigned input_type(struct input *input, enum process_role from, enum process_role to,
				  const char *const *verbs, unsigned n_verbs)
{
	unsigned hash = input_byte(input), n = 0, types[MESSAGE_NUM_TYPES];

	hash |= (unsigned)input_byte(input) << 8;
	for (unsigned i = 1; i < MESSAGE_NUM_TYPES; i++) {
		const struct message_info *info = message_info(i);

		if (name_hash(info->name) == hash)
			return i;
		if ((info->from & from) && (info->to & to))
			types[n++] = i;
	}
	for (unsigned i = 0; i < n_verbs; i++) {
		if (name_hash(verbs[i]) == hash)
			return MESSAGE_NUM_TYPES + i;
	}
	hash %= n + n_verbs;
	return hash < n ? types[hash] : MESSAGE_NUM_TYPES + hash - n;
}

/* Send a message of @type, whose fields follow; a program that refuses it closes the channel. */
static inline void input_send(struct input *input, struct fuzz_peer *peer, unsigned type)
{
	uint8_t byte = input_byte(input);
	uint64_t serial = byte == SERIAL_LAST ? peer->last_serial : byte;
	struct message *message = input_message(input, peer, message_format(type), serial);

	if (!message)
		abort();
	if (message->failed)
		message = message_free(message);
	if (message)
		(void)message_transmit(peer->fd, message);
}

/* The first field of @message that is a number. */
static inline uint64_t message_first(struct message *message)
{
	const struct message_format *format = message_format(message->type);
	uint64_t number = 0;
	char *fields;

	fields = calloc(1, format->table->size + 1);
	if (!fields)
		abort();
	if (message_read(message, format, fields) == 0)
		memcpy(&number, fields + format->table->fields[0].offset,
		       format->table->fields[0].size);
	free(fields);
	return number;
}

/* Read the program's messages, so that its queues stay short. */
static inline void peer_drain(struct fuzz_peer *peer, enum message_type work)
{
	struct message *message;

	while (peer->fd >= 0 && message_receive(peer->fd, &message) == 1) {
		if (message->serial)
			peer->last_serial = message->serial;
		if (message->type == work)
			peer->last_number = message_first(message);
		(void)message_free(message);
	}
}

static inline void peer_hang_up(struct fuzz_peer *peer)
{
	if (peer->fd >= 0)
		(void)close(peer->fd);
	peer->fd = -1;
}

/* Make a channel to @peer, which has sent its HELLO. Return: the program's end. */
static inline int peer_connect(struct fuzz_peer *peer)
{
	struct message *hello =
		MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION, .role = peer->role);
	int pair[2];

	peer_hang_up(peer);
	if (!hello || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	peer->fd = pair[0];
	if (fd_set_nonblock(peer->fd, 1) < 0)
		abort();
	(void)message_transmit(peer->fd, hello);
	return pair[1];
}

#endif
