/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

/*
 * DOC: Messages between our processes
 *
 * Channels are AF_UNIX SOCK_SEQPACKET pairs that runbookd makes: one packet is
 * one message, descriptors travel with the message they belong to. Integers are
 * little-endian (x86-64 only).
 *
 *   header, 24 bytes:
 *     u32 magic "RBK1" | u16 type | u16 number of fds | u32 payload bytes |
 *     u32 reserved, 0  | u64 serial
 *   payload: the fields of the message's table under common/messages/, in the format
 *   of common/fields.h, all of them and in order. Messages that have no table yet:
 *   fields in the order that common/message_table.h documents
 *     'u' u64 value
 *     's' u32 length, bytes, NUL      (no NUL inside)
 *     'b' u32 length, bytes
 *
 * The serial is chosen by who asks and repeated in the answer.
 *
 * Receiving: struct channel checks type, direction, length and number of
 * descriptors against the table before a handler sees anything. Getters fail
 * once and stay failed ("sticky"), so a handler reads all fields and then calls
 * message_end(), which also requires that every byte and descriptor was
 * consumed. A handler that returns a negative value closes the channel of the
 * sender; nothing a peer sends can end the receiver.
 *
 * Sending never blocks: what the socket does not take waits in a queue of at
 * most CHANNEL_QUEUE_MAX messages.
 */

#include "common/limits.h"
#include "common/loop.h"
#include "common/message_table.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- building and reading ---- */

struct message {
	uint16_t type; /* enum message_type */
	uint64_t serial;
	uint8_t *payload;
	uint32_t length;
	int fds[MESSAGE_FDS_MAX];
	uint16_t n_fds;
	/* reading */
	uint32_t offset;
	uint16_t next_fd;
	struct fields_memory *memory; /* lists of what message_read() read */
	/* both: first failure, -errno; sticky */
	int failed;
	char problem[96]; /* which field it was; "": not known */
};

/** message_new() - an empty message to send. Never NULL-safe: check the result. */
struct message *message_new(enum message_type type, uint64_t serial);
/** message_free() - release it and close descriptors still in it. Return: NULL. */
struct message *message_free(struct message *message);
static inline void message_free_fn(struct message **message)
{
	(void)message_free(*message);
}
#define cleanup_message __attribute__((cleanup(message_free_fn)))

/* Append; failures are remembered and reported by channel_send(). */
void message_put_u64(struct message *message, uint64_t value);
void message_put_string(struct message *message, const char *text); /* NULL is "" */
void message_put_bytes(struct message *message, const void *data, size_t size);
/** message_put_fd() - a duplicate of @fd travels; the caller keeps @fd */
void message_put_fd(struct message *message, int fd);

/* Read in order. On failure: 0, "" or -1, and the message is marked failed. */
uint64_t message_get_u64(struct message *message);
/** message_get_string() - points into the message; longer than @max bytes fails */
const char *message_get_string(struct message *message, size_t max);
const void *message_get_bytes(struct message *message, size_t *ret_size);
/** message_get_fd() - the caller owns the result (close-on-exec is set) */
int message_get_fd(struct message *message);
/** message_end() - Return: 0, or -EBADMSG if anything failed or is left over. */
int message_end(struct message *message);

/* ---- channels ---- */

struct channel;

/**
 * struct message_handler - who serves a message type
 * @handle: return < 0 closes the channel (the sender misbehaved)
 */
struct message_handler {
	enum message_type type;
	int (*handle)(struct channel *channel, struct message *message);
};

typedef void (*channel_closed_fn)(struct channel *channel);

struct channel {
	struct loop_file file;
	enum process_role self; /* who we are */
	enum process_role peer; /* who is at the other end */
	bool greeted;		/* the peer's HELLO arrived and its version is ours */
	bool open;
	const struct message_handler *handlers;
	size_t n_handlers;
	channel_closed_fn closed;
	void *userdata;
	/* outgoing queue, internal */
	struct channel_packet *first, *last;
	size_t n_queued;
};

/**
 * channel_open() - serve @fd on @loop and send our HELLO
 * @fd:       owned by the channel from now on, also on failure
 * @handlers: static table; must stay valid
 * @closed:   called once, when the peer goes away or misbehaves; the channel is
 *            already closed then and may be opened again
 *
 * Return: 0 or -errno.
 */
int channel_open(struct channel *channel, struct loop *loop, int fd, enum process_role self,
		 enum process_role peer, const struct message_handler *handlers, size_t n_handlers,
		 channel_closed_fn closed, void *userdata);
/** channel_close() - close without calling closed(); no-op when not open */
void channel_close(struct channel *channel);
/**
 * channel_send() - send and free @message, whatever happens
 *
 * Return: 0 (sent or queued), -ENOTCONN when closed, -ENOBUFS when the queue is
 * full (the channel is then closed: that peer is stuck), or the failure of the
 * message's putters.
 */
int channel_send(struct channel *channel, struct message *message);

/* ---- without a loop: tests, fuzzers, short-lived children ---- */

/** message_encode() - wire form of @message. @ret_data is malloc'ed. Return: 0 or -errno. */
int message_encode(const struct message *message, uint8_t **ret_data, size_t *ret_size);
/**
 * message_decode() - parse one packet; checks header and table limits only
 * @fds: taken over on success
 * Return: 0, -EBADMSG (malformed), -EOPNOTSUPP (unknown type).
 */
int message_decode(const void *data, size_t size, const int *fds, size_t n_fds,
		   struct message **ret_message);
/** message_receive() - block for one packet on @fd. Return: 1, 0 at end, or -errno. */
int message_receive(int fd, struct message **ret_message);
/** message_write() - send @message on @fd and keep it. Return: 0 or -errno (-EAGAIN: socket full). */
int message_write(int fd, const struct message *message);
/** message_transmit() - message_write(), then free it, whatever happened. NULL is -ENOMEM. */
int message_transmit(int fd, struct message *message);

#endif
