/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_WORKER_H
#define FETCHER_WORKER_H

/*
 * The service's side of its children: have one started, hand it its job, wait, have it killed when
 * it is late. The starter (starter.h) is their parent.
 */

#include "common/loop.h"
#include "common/message.h"
#include "common/message_table.h"
#include "fetcher/fetch.h"
#include "fetcher/remote.h"

#include <stdbool.h>
#include <sys/types.h>

struct worker;
struct workers;
typedef void (*worker_done_fn)(struct worker *worker);

/**
 * struct worker - embedded by its owner, who must not move it while it runs
 * @result: valid while done() is called; what it holds is closed then
 * @done:   called once, when the child is gone; the worker may be used again then
 */
struct worker {
	struct workers *workers;      /* NULL while no child runs */
	size_t number;		      /* of its child, for the starter */
	struct loop_file socket_file; /* the child's answer */
	struct loop_timer deadline;
	int socket_fd;
	enum message_type answer; /* of this type */
	bool answered;
	bool late;
	bool killed; /* by SIGKILL, and not by us: the same may do well when it is tried again */
	struct fetch_result result;
	worker_done_fn done;
};
#define WORKER_NULL ((struct worker){.socket_fd = -1})

/** struct workers - those that run, and the channel to the starter */
struct workers {
	struct channel starter;
	pid_t starter_pid;
	struct loop *loop;
	const struct fetch_limits *limits;
	struct worker *running[FETCH_PARALLEL_MAX]; /* by the numbers of their children */
};

/**
 * workers_open() - serve the channel to the starter; when that hangs up, the loop is left with 1
 * @starter_pid: a child of ours
 * @starter_fd:  owned by @workers from now on, also on failure
 *
 * Return: 0 or -errno.
 */
int workers_open(struct workers *workers, struct loop *loop, pid_t starter_pid, int starter_fd,
		 const struct fetch_limits *limits);
/** workers_close() - end the starter, and with it the children; no worker is done() any more */
void workers_close(struct workers *workers);

/**
 * worker_start() - have a child started, its job ready for it
 * @repository: with a FETCH; NULL with others
 * @job:        see request.h, consumed
 *
 * Return: 0 or -errno with @error set; done() is called only after 0.
 */
int worker_start(struct workers *workers, struct worker *worker,
		 const struct repository *repository, struct message *job, worker_done_fn done,
		 struct error *error);

/**
 * worker_result_read() - the checked fields of a child's answer: FETCHED, or what removed something
 * @ret_result: fetch_result_clear() it
 *
 * Return: 0 or -EBADMSG.
 */
int worker_result_read(struct message *message, struct fetch_result *ret_result);

#endif
