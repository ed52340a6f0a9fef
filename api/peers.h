/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_PEERS_H
#define API_PEERS_H

/*
 * DOC: Calls from many threads over the channels of one
 *
 * Channels belong to the thread of the loop, but requests are served by threads of
 * libmicrohttpd. peer_call() hands a message to the loop's thread and waits for the
 * answer with the same serial. When a peer goes away, all calls that it has not answered
 * fail with -ENOTCONN. A call to a peer that is away waits up to PEER_AWAY_USEC first,
 * because runbookd usually restarts it at once.
 */

#include "common/message.h"
#include "common/messages/artifacts.h"

#define PEER_DEADLINE_USEC (15 * USEC_PER_SEC) /* for the answer */
#define PEER_BACKUP_USEC (600 * USEC_PER_SEC)  /* for a copy of the whole store */
#define PEER_PUT_USEC (600 * USEC_PER_SEC)     /* for a large artifact */
#define PEER_AWAY_USEC (3 * USEC_PER_SEC)      /* until a peer that is away connects */
#define PEER_TEXT_MAX 4096

struct peers;

/** struct peer_reply - a peer's answer; fields that its message does not have are 0 or "" */
struct peer_reply {
	uint64_t status; /* HTTP status */
	int fd;		 /* owned by the caller, or -1 */
	uint64_t size;
	enum artifact_form form;
	char kind[ARTIFACT_KIND_MAX + 1];
	char text[PEER_TEXT_MAX + 1];
};

/** peers_new() - without any peer yet; @loop must outlive it. Return: 0 or -errno. */
int peers_new(struct loop *loop, struct peers **ret_peers);
/** peers_free() - close the channels, when no thread is in a call. Return: NULL. */
struct peers *peers_free(struct peers *peers);

/**
 * peers_attach() - open a channel to @role; an older one is closed
 * @fd:       taken over
 * @handlers: for all messages of @role; those for answers call peers_answer()
 *
 * Return: 0 or -errno.
 */
int peers_attach(struct peers *peers, enum process_role role, int fd,
		 const struct message_handler *handlers, size_t n_handlers);
/** peers_adopt() - let calls use @channel, which the caller owns, until peers_lost() */
void peers_adopt(struct peers *peers, enum process_role role, struct channel *channel);
/** peers_lost() - the channel of @role is closed: fail its calls with -ENOTCONN */
void peers_lost(struct peers *peers, enum process_role role);

/**
 * peers_answer() - for message handlers: give an answer to the call that waits for it
 *
 * An answer for which no call waits any more is dropped.
 *
 * Return: 0, -EBADMSG or -ENOMEM.
 */
int peers_answer(struct peers *peers, struct message *message);

/**
 * peer_call() - send @message and wait for its answer; in any thread but the loop's
 * @message: always freed, NULL means out of memory; its serial is set here
 *
 * Return: 0 with @ret_reply filled in, -ENOTCONN (the peer is away), -ETIMEDOUT, -ENOMEM.
 */
int peer_call(struct peers *peers, enum process_role role, struct message *message,
	      struct peer_reply *ret_reply);
/** peer_call_long() - peer_call() that waits up to @timeout_usec for the answer */
int peer_call_long(struct peers *peers, enum process_role role, struct message *message,
		   struct peer_reply *ret_reply, uint64_t timeout_usec);

/** peer_connected() - does @role have a channel now? Any thread. */
bool peer_connected(struct peers *peers, enum process_role role);

#endif
