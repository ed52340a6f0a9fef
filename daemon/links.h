/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

/*
 * DOC: Channels to the children
 *
 * children.c opens a channel with each process and closes it at its end. All other files
 * of daemon/ only send through it, and need to know of a child no more than its index.
 */

#include "common/message.h"

struct daemon;

enum child_index {
	CHILD_SCHEDULER,
	CHILD_FETCHER,
	CHILD_CACHER,
	CHILD_WEBHOOK,
	CHILD_API,
	CHILD_IMAGE,
	CHILD_NUM,
};

/** link_to() - the channel to @index, owned by @daemon; closed while the child is not running */
struct channel *link_to(struct daemon *daemon, enum child_index index);
/** link_ready() - has the child sent HELLO? It gets its configuration at once then. */
bool link_ready(const struct daemon *daemon, enum child_index index);
/** link_index() - which child @channel belongs to */
enum child_index link_index(const struct daemon *daemon, const struct channel *channel);
/**
 * link_send() - send @message if the child has greeted; takes @message over in any case
 *
 * Return: 0; -ENOTCONN while the child is not ready; another -errno when it was not sent.
 */
int link_send(struct daemon *daemon, enum child_index index, struct message *message);

#endif
