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
 *   of common/fields.h, all of them and in order
 *
 * The serial is chosen by who asks and repeated in the answer.
 *
 * Receiving: struct channel checks type, direction, length and number of
 * descriptors against the tables before a handler sees anything. The handler
 * gets all fields at once with MESSAGE_GET() (common/message_fields.h). One that
 * returns a negative value closes the channel of the sender; nothing a peer sends
 * can end the receiver.
 *
 * Sending never blocks: what the socket does not take waits in a queue of at
 * most CHANNEL_QUEUE_MAX messages.
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
	struct fields_memory *memory; /* lists of what message_read() read */
	int failed;		      /* -errno when the fields break their bounds */
	char problem[96];	      /* which field it was; "": not known */
};

/** message_new() - without any fields, for message_build() and message_decode(); NULL: no memory */
struct message *message_new(unsigned type, uint64_t serial);
/** message_free() - release it and close descriptors still in it. Return: NULL. */
struct message *message_free(struct message *message);
static inline void message_free_fn(struct message **message)
{
	(void)message_free(*message);
}
#define cleanup_message __attribute__((cleanup(message_free_fn)))

/* ---- channels ---- */

struct channel;

/**
 * struct message_handler - who serves a message type
 * @handle: return < 0 closes the channel (the sender misbehaved)
 */
struct message_handler {
	unsigned type; /* enum message_type */
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
	void (*handled)(struct channel *channel); /* after each message; NULL by channel_open() */
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
 * full (the channel is then closed: that peer is stuck), or what its fields break.
 */
int channel_send(struct channel *channel, struct message *message);

/* ---- without a loop: tests, fuzzers, short-lived children ---- */

/** message_encode() - wire form of @message. @ret_data is malloc'ed. Return: 0 or -errno. */
int message_encode(const struct message *message, uint8_t **ret_data, size_t *ret_size);
/**
 * message_decode() - parse one packet; checks its header against the tables only
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
