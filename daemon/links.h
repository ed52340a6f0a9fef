/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

/*
 * The channels to our children. children.c opens and closes them with the lives of the
 * processes; everything else in daemon/ only sends.
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

/** link_to() - the channel to @index; closed while the child is away */
struct channel *link_to(struct daemon *daemon, enum child_index index);
/** link_ready() - it has greeted: it knows its part of the configuration */
bool link_ready(const struct daemon *daemon, enum child_index index);
/** link_index() - the opposite of link_to() */
enum child_index link_index(const struct daemon *daemon, const struct channel *channel);
/**
 * link_send() - send @message if the child has greeted, and free it
 *
 * Return: 0; -errno when it was not sent.
 */
int link_send(struct daemon *daemon, enum child_index index, struct message *message);

#endif
