/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_WORKER_H
#define FETCHER_WORKER_H

/* The service's side of one child: start it, hand it its job, wait, kill it when late. */

#include "common/loop.h"
#include "common/message.h"
#include "common/message_table.h"
#include "fetcher/fetch.h"
#include "fetcher/remote.h"
#include "fetcher/service.h"

#include <stdbool.h>
#include <sys/types.h>

struct worker;
typedef void (*worker_done_fn)(struct worker *worker);

/**
 * struct worker - embedded by its owner, who must not move it while it runs
 * @result: valid while done() is called; what it holds is closed then
 * @done:   called once, when the child is gone; the worker may be used again then
 */
struct worker {
	struct loop_file socket_file; /* the child's answer */
	struct loop_file exit_file;   /* its pidfd */
	struct loop_timer deadline;
	pid_t pid; /* 0 while none runs; leader of its own process group */
	int socket_fd;
	int pid_fd;
	enum message_type answer; /* of this type */
	bool answered;
	bool late;
	bool killed; /* by SIGKILL, and not by us: nobody's mistake */
	struct fetch_result result;
	uint64_t timeout_sec;
	worker_done_fn done;
};
#define WORKER_NULL ((struct worker){.socket_fd = -1, .pid_fd = -1})

/**
 * worker_start() - start a child and send it its job
 * @repository: with a FETCH; NULL with others
 * @job:        see request.h, consumed
 *
 * Return: 0 or -errno with @error set; done() is called only after 0.
 */
int worker_start(struct worker *worker, struct loop *loop, const struct service_setup *setup,
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
