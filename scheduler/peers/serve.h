/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SERVE_H
#define SCHEDULER_SERVE_H

/* The scheduler from its start to its end, and the channels to its peers. */

#include "scheduler/model/scheduler.h"

/** peer_open() - serve a new channel to @peer, in place of its old one */
int peer_open(struct peer *peer, int fd);
/**
 * scheduler_serve() - be the scheduler until the daemon hangs up
 * @channel_fd: channel to the daemon, owned
 * @store:      open store, owned
 *
 * Return: exit status of the process: 0 when the daemon hung up, 1 after a
 * failed commit or without memory.
 */
int scheduler_serve(int channel_fd, struct store *store);

/**
 * scheduler_new() - a scheduler with its home, whose peer is not open yet
 * @store: open store, owned
 *
 * Return: NULL without memory.
 */
struct scheduler *scheduler_new(struct store *store);
/** scheduler_run() - what scheduler_serve() does from there on; @scheduler is released */
int scheduler_run(struct scheduler *scheduler);

/**
 * scheduler_refuse() - be a scheduler without a store: everybody is told @sentence
 * @channel_fd: channel to the daemon, owned
 *
 * To end and be started again for ever would tell nobody anything. Return: exit
 * status of the process.
 */
int scheduler_refuse(int channel_fd, const char *sentence);

#endif
