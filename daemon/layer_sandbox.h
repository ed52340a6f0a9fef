/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYER_SANDBOX_H
#define DAEMON_LAYER_SANDBOX_H

/* The sandbox in which runbook-unpack writes a layer, or removes what is in one. */

#include "daemon/dir_store.h"
#include "daemon/supervise.h"

#include <limits.h>

#define LAYER_SANDBOX_PROGRAM "/run/runbookd/bin/runbook-unpack" /* inside */
#define LAYER_SANDBOX_LAYER "/layer"

/** struct layer_sandboxes - what they have in common */
struct layer_sandboxes {
	struct supervisor supervisor;
	struct dir_store *store;
	const char *instance;
	char program[PATH_MAX];
	uint64_t n_started; /* for their names */
};

/** layer_sandbox_init() - fill in what an owner of @supervised would have to */
void layer_sandbox_init(const struct layer_sandboxes *by, struct supervised *supervised,
			void (*done)(struct supervised *supervised,
				     const struct supervised_end *end));
/**
 * layer_sandbox_start() - run @arguments with the directory of @claim at LAYER_SANDBOX_LAYER
 * @stdin_fd, @stdout_fd: -1: nothing
 *
 * It is killed when it takes too long. Return: 0 or -errno with @error.
 */
int layer_sandbox_start(struct layer_sandboxes *by, struct supervised *supervised,
			const struct dir_claim *claim, char *const *arguments, int stdin_fd,
			int stdout_fd, struct error *error);
/** layer_sandbox_failure() - why it did not do its work; @ret_error is ERROR_INIT if it did */
void layer_sandbox_failure(const struct supervised *supervised, const struct supervised_end *end,
			   struct error *ret_error);

#endif
