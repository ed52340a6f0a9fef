/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

/*
 * DOC: Messages between our processes
 *
 * Channels are AF_UNIX SOCK_SEQPACKET pairs that runbookd makes: one packet is one message, and
 * descriptors are sent with the message that they belong to (unix(7)). Integers are
 * little-endian (x86-64 only).
 *
 *   header, 24 bytes:
 *     u32 magic "RBK1" | u16 type | u16 number of fds | u32 payload bytes |
 *     u32 reserved, 0  | u64 serial
 *   payload: the fields of the message's table under common/messages/, in the format
 *   of common/fields.h, all of them and in order
 *
 * The sender of a request chooses the serial, and the reply repeats it.
 *
 * Receiving: struct channel checks type, direction, length and number of descriptors against
 * the tables before it calls a handler. The handler gets all fields at once with MESSAGE_GET()
 * (common/message_fields.h). If it returns a negative value, the sender's channel is closed; no
 * message of a peer can end the receiver. If both processes live on, runbookd makes another
 * channel between them (CHANNEL_LOST).
 *
 * Sending never blocks: if the socket is full, messages wait in a queue of at most
 * CHANNEL_QUEUE_MAX.
 */

#include "common/limits.h"
#include "common/loop.h"
#include "common/process_role.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- one message ---- */

struct message {
	uint16_t type; /* enum message_type */
	uint64_t serial;
	uint8_t *payload;
	uint32_t length;
	int fds[MESSAGE_FDS_MAX];
	uint16_t n_fds;
	struct fields_memory *memory; /* lists made by message_read() */
	int failed;		      /* -errno if the fields violate their bounds */
	char problem[96];	      /* the name of that field; "": unknown */
};

/** message_new() - without fields, for message_build() and message_decode(); NULL: no memory */
struct message *message_new(unsigned type, uint64_t serial);
/** message_free() - release it and close its remaining descriptors. Return: NULL. */
struct message *message_free(struct message *message);
static inline void message_free_fn(struct message **message)
{
	(void)message_free(*message);
}
#define cleanup_message __attribute__((cleanup(message_free_fn)))

/* ---- channels ---- */

struct channel;

/**
 * struct message_handler - the function that handles a type of message
 * @handle: if it returns < 0, the sender misbehaved and the channel is closed
 */
struct message_handler {
	unsigned type; /* enum message_type */
	int (*handle)(struct channel *channel, struct message *message);
};

typedef void (*channel_closed_fn)(struct channel *channel);

struct channel {
	struct loop_file file;
	enum process_role self; /* our own role */
	enum process_role peer; /* role of the other end */
	bool greeted;		/* the peer's HELLO has arrived, with our version */
	bool open;
	const struct message_handler *handlers;
	size_t n_handlers;
	channel_closed_fn closed;
	void (*handled)(struct channel *channel); /* after each message; NULL at first */
	void *userdata;
	/* outgoing queue, internal */
	struct channel_packet *first, *last;
	size_t n_queued;
};

/**
 * channel_open() - serve @fd on @loop and send our HELLO
 * @fd:       owned by the channel from now on, also on failure
 * @handlers: static table; must stay valid
 * @closed:   called once, when the peer disconnects or misbehaves; the channel is closed by
 *            then and may be opened again
 *
 * Return: 0 or -errno.
 */
int channel_open(struct channel *channel, struct loop *loop, int fd, enum process_role self,
		 enum process_role peer, const struct message_handler *handlers, size_t n_handlers,
		 channel_closed_fn closed, void *userdata);
/** channel_close() - close without calling closed(); no-op if it is not open */
void channel_close(struct channel *channel);
/**
 * channel_send() - send @message, and free it in all cases
 *
 * Return: 0 if it was sent or queued; -ENOTCONN if the channel is closed; -ENOBUFS if the queue
 * is full, and then the channel is closed, because the peer is stuck; or the -errno of a field
 * that violates its bounds.
 */
int channel_send(struct channel *channel, struct message *message);

/* ---- without a loop: tests, fuzzers, short-lived children ---- */

/** message_encode() - wire form of @message. @ret_data is malloc'ed. Return: 0 or -errno. */
int message_encode(const struct message *message, uint8_t **ret_data, size_t *ret_size);
/**
 * message_decode() - parse one packet; checks only its header against the tables
 * @fds: owned by the message on success
 *
 * Return: 0, -EBADMSG (malformed), -EOPNOTSUPP (unknown type).
 */
int message_decode(const void *data, size_t size, const int *fds, size_t n_fds,
		   struct message **ret_message);
/** message_receive() - wait for one packet on @fd. Return: 1, 0 at the end, or -errno. */
int message_receive(int fd, struct message **ret_message);
/** message_write() - send @message, without freeing it. Return: 0 or -errno (-EAGAIN: full). */
int message_write(int fd, const struct message *message);
/** message_transmit() - message_write(), then free it in all cases. NULL is -ENOMEM. */
int message_transmit(int fd, struct message *message);

#endif
