/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CHILDREN_H
#define DAEMON_CHILDREN_H

/*
 * DOC: Children
 *
 * A child's life: spawned (root, channel on descriptor 3) -> HELLO -> its part
 * of the configuration -> channels to its peers. It may die at any moment; it
 * then comes back after 100 ms, doubled with every death to 10 s, back to
 * 100 ms after a minute of life.
 */

#include "common/loop.h"
#include "daemon/links.h"

#include <stdbool.h>
#include <sys/types.h>

struct daemon;

struct child {
	struct daemon *daemon;
	enum process_role role;
	const char *program;
	pid_t pid; /* 0 while there is no process */
	int pidfd;
	struct loop_file pid_file;
	struct loop_timer timer; /* respawn, or the deadline of the greeting or of the end */
	uint64_t started_usec;
	uint64_t backoff_usec;
};

/**
 * struct child_hooks - what the rest of the daemon does about its children
 * @requests: what they may ask; child_greeted() answers HELLO
 * @greeted:  it has its configuration and the channels to its peers
 * @gone:     its process has ended; a new one is on its way unless we end
 */
struct child_hooks {
	const struct message_handler *requests;
	size_t n_requests;
	void (*greeted)(struct daemon *daemon, enum child_index index);
	void (*gone)(struct daemon *daemon, enum child_index index);
};

/** child_greeted() - handler of HELLO */
int child_greeted(struct channel *channel, struct message *message);
/** children_start() - spawn all of them; .child_hooks of @daemon are set */
void children_start(struct daemon *daemon);
/** children_greeted() - every child is up and has said HELLO */
bool children_greeted(const struct daemon *daemon);
/** children_send_config() - send each its part of the configuration in force */
void children_send_config(struct daemon *daemon);
/** children_stop() - close the channels, which ends them; who stays is killed after 5 s */
void children_stop(struct daemon *daemon);
/** children_gone() - no process of ours is left */
bool children_gone(const struct daemon *daemon);

#endif
