/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_WORKER_H
#define FETCHER_WORKER_H

/*
 * DOC: Workers
 *
 * The service's side of its children (child.h). A worker has the starter (starter.h), which is
 * the children's parent, start one, passes it a job through a socket, waits for its result and for
 * its end, and has it killed when it exceeds the deadline. The result comes from a process that
 * handles foreign input, so each of its fields is checked here.
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
 * struct worker - embedded by its owner, which must not move it while a child runs
 * @result: valid during @done; its descriptors are closed afterwards
 * @done:   called once, after the child's end; it may start the worker again
 */
struct worker {
	struct workers *workers;      /* NULL while no child runs */
	size_t number;		      /* names the child in messages to the starter */
	struct loop_file socket_file; /* the child's result comes here */
	struct loop_timer deadline;
	int socket_fd;
	enum message_type answer; /* type of the result */
	bool answered;
	bool late;
	bool killed; /* by a SIGKILL that is not ours: another attempt may succeed */
	struct fetch_result result;
	worker_done_fn done;
};
#define WORKER_NULL ((struct worker){.socket_fd = -1})

/** struct workers - the running workers and the channel to the starter */
struct workers {
	struct channel starter;
	pid_t starter_pid;
	struct loop *loop;
	const struct fetch_limits *limits;
	struct worker *running[FETCH_PARALLEL_MAX]; /* by the numbers of their children */
};

/**
 * workers_open() - serve the channel to the starter; when it hangs up, the loop exits with 1
 * @starter_pid: pid of the starter, a child of this process
 * @starter_fd:  owned by @workers from now on, also on failure
 *
 * Return: 0 or -errno.
 */
int workers_open(struct workers *workers, struct loop *loop, pid_t starter_pid, int starter_fd,
		 const struct fetch_limits *limits);
/** workers_close() - end the starter, and with it the children; no @done is called any more */
void workers_close(struct workers *workers);

/**
 * worker_start() - send a child its job and have the starter start it
 * @repository: of a FETCH; NULL for other jobs
 * @job:        made by request_job(); consumed
 *
 * Return: 0, or -errno with @error set; @done is called only after 0.
 */
int worker_start(struct workers *workers, struct worker *worker,
		 const struct repository *repository, struct message *job, worker_done_fn done,
		 struct error *error);

/**
 * worker_result_read() - read and check a child's FETCHED, TREE_REMOVED or MIRROR_PRUNED
 * @ret_result: the caller releases it with fetch_result_clear()
 *
 * Return: 0 or -EBADMSG.
 */
int worker_result_read(struct message *message, struct fetch_result *ret_result);

#endif
