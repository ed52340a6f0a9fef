/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_PEERS_H
#define API_PEERS_H

/*
 * DOC: Questions of many threads, channels of one
 *
 * Channels belong to the thread of the loop; requests are served by threads of
 * libmicrohttpd. peer_call() hands a message to the loop's thread and waits for
 * the answer with the same serial. A peer that goes away fails what it was
 * asked and had not answered; a call that finds it away waits a moment, because
 * it is usually being respawned.
 */

#include "common/message.h"
#include "common/messages/artifacts.h"

#define PEER_DEADLINE_USEC (15 * USEC_PER_SEC) /* for the answer */
#define PEER_BACKUP_USEC (600 * USEC_PER_SEC)  /* for a copy of the whole store */
#define PEER_PUT_USEC (600 * USEC_PER_SEC)     /* for a large artifact */
#define PEER_AWAY_USEC (3 * USEC_PER_SEC)      /* for a peer that is away */
#define PEER_TEXT_MAX 4096

struct peers;

/** struct peer_reply - what a peer answered; fields that its message lacks are 0 or "" */
struct peer_reply {
	uint64_t status; /* of HTTP */
	int fd;		 /* owned by the caller, -1 when none came */
	uint64_t size;
	enum artifact_form form;
	char kind[ARTIFACT_KIND_MAX + 1];
	char text[PEER_TEXT_MAX + 1];
};

/** peers_new() - Return: 0 or -errno; @loop must outlive it */
int peers_new(struct loop *loop, struct peers **ret_peers);
struct peers *peers_free(struct peers *peers);

/**
 * peers_attach() - serve a new channel to @role; an older one is closed
 * @fd:       owned by it from now on
 * @handlers: besides those of answers; may be NULL
 */
int peers_attach(struct peers *peers, enum process_role role, int fd,
		 const struct message_handler *handlers, size_t n_handlers);
/** peers_adopt() - @channel was opened elsewhere: calls may use it until peers_lost() */
void peers_adopt(struct peers *peers, enum process_role role, struct channel *channel);
void peers_lost(struct peers *peers, enum process_role role);

/** peers_answer() - for handlers: the answer to what was asked. Return: 0 or -EBADMSG. */
int peers_answer(struct peers *peers, struct message *message);

/**
 * peer_call() - ask and wait; any thread but the loop's
 * @message: freed, whatever happens; its serial is set here
 *
 * Return: 0 with @ret_reply filled, -ENOTCONN (away), -ETIMEDOUT, -ENOMEM.
 */
int peer_call(struct peers *peers, enum process_role role, struct message *message,
	      struct peer_reply *ret_reply);
/** peer_call_long() - the same, with another deadline than PEER_DEADLINE_USEC from now */
int peer_call_long(struct peers *peers, enum process_role role, struct message *message,
		   struct peer_reply *ret_reply, uint64_t timeout_usec);

/** peer_connected() - whether @role has a channel now; any thread */
bool peer_connected(struct peers *peers, enum process_role role);

#endif
