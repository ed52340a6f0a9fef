/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SERVE_H
#define SCHEDULER_SERVE_H

/*
 * DOC: The life of the scheduler
 *
 * Start, loop and end of the process, and the channels to its peers. The scheduler starts with an
 * open store and one channel, to its runbookd, which sends the configuration and the channels to
 * the other processes. It ends when that runbookd hangs up or when a commit fails. With a store
 * that cannot be opened it serves as well, only to report that: see scheduler_refuse().
 */

#include "scheduler/model/scheduler.h"

/**
 * peer_open() - serve the new channel @fd (owned) to @peer in place of the old one. Return: 0 or
 * -errno.
 */
int peer_open(struct peer *peer, int fd);
/**
 * scheduler_serve() - run the scheduler until the daemon hangs up
 * @channel_fd: channel to the daemon, owned
 * @store:      open store, owned
 *
 * Return: exit status of the process: 0 when the daemon hung up, 1 after a failed commit or
 * without memory.
 */
int scheduler_serve(int channel_fd, struct store *store);

/**
 * scheduler_new() - make a scheduler with its home executor, whose channel is not open yet
 * @store: open store, owned
 *
 * Return: NULL without memory.
 */
struct scheduler *scheduler_new(struct store *store);
/**
 * scheduler_run() - load the runs and serve until the end; @scheduler is released. Return: exit
 * status of the process.
 */
int scheduler_run(struct scheduler *scheduler);

/**
 * scheduler_refuse() - serve without a store: every request is refused with @sentence
 * @channel_fd: channel to the daemon, owned
 *
 * Ending and being restarted without end would leave people without an explanation.
 * Return: exit status of the process.
 */
int scheduler_refuse(int channel_fd, const char *sentence);

#endif
