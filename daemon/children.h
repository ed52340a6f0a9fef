/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CHILDREN_H
#define DAEMON_CHILDREN_H

/*
 * DOC: Children
 *
 * runbookd starts one process of each other program and keeps it running. A child's
 * life: spawned (as root, with its channel on descriptor 3) -> HELLO, sent after its
 * lock-down -> its part of the configuration -> channels to its peers, each made here
 * with socketpair(2), one end for each side.
 *
 * A child may die at any moment. It is started again after 100 ms; the delay doubles with
 * every death, up to 10 s, and is 100 ms again after a minute of life. A child that does
 * not send HELLO within 30 s is killed. A child whose channel closed, because it closed it
 * or sent a message that is not allowed, has a second to exit before it is killed.
 *
 * A channel between two children closes, too, when one of them sends what is not allowed. The
 * scheduler and the api report that (CHANNEL_LOST), and both get a new one while they live.
 */

#include "common/loop.h"
#include "daemon/links.h"

#include <stdbool.h>
#include <sys/types.h>

struct daemon;

/** struct child - one child process, or the wait for its next start */
struct child {
	struct daemon *daemon;
	enum process_role role;
	const char *program;
	pid_t pid; /* 0 while there is no process */
	int pidfd; /* -1 while there is no process */
	struct loop_file pid_file;
	struct loop_timer timer;	    /* respawn, or the deadline for HELLO or for the exit */
	uint64_t started_usec;		    /* monotonic */
	uint64_t backoff_usec;		    /* before the next start */
	uint64_t connected_usec[CHILD_NUM]; /* when its channel to that child was made last */
};

/**
 * struct child_hooks - what the rest of the daemon does about its children
 * @requests: handlers of the messages that children may send; HELLO is child_greeted()
 * @greeted:  called when a child has its configuration and the channels to its peers
 * @gone:     called when its process has ended; it is started again unless runbookd ends
 */
struct child_hooks {
	const struct message_handler *requests;
	size_t n_requests;
	void (*greeted)(struct daemon *daemon, enum child_index index);
	void (*gone)(struct daemon *daemon, enum child_index index);
};

/** child_greeted() - handler of HELLO: sends configuration and channels to peers. Return: 0. */
int child_greeted(struct channel *channel, struct message *message);
/**
 * child_channel_lost() - handler of CHANNEL_LOST: makes another channel between two children
 *
 * It does nothing while one of the two is not running, because it gets all its channels when it
 * has started, nor within a second of the last one, so that a child cannot disturb another.
 *
 * Return: 0; -EBADMSG if the two have no channel.
 */
int child_channel_lost(struct channel *channel, struct message *message);
/**
 * children_start() - spawn all of them; .child_hooks of @daemon are set
 *
 * A child that cannot be started is logged and tried again later.
 */
void children_start(struct daemon *daemon);
/** children_greeted() - is every child running, and has it sent HELLO? */
bool children_greeted(const struct daemon *daemon);
/** children_send_config() - send each greeted child its part of the configuration in force */
void children_send_config(struct daemon *daemon);
/**
 * children_stop() - close the channels, on which children exit; kill the rest after 5 s
 *
 * To be called once: a second call would restart the 5 s.
 */
void children_stop(struct daemon *daemon);
/** children_gone() - has every child process been reaped? */
bool children_gone(const struct daemon *daemon);

#endif
