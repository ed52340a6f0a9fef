/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYER_SANDBOX_H
#define DAEMON_LAYER_SANDBOX_H

/*
 * DOC: The sandbox of a layer
 *
 * A layer comes from a registry, so neither its archive nor the files that it became are
 * trusted. runbook-unpack handles both, inside a sandbox without network, in which nothing
 * of the host is writable but the directory of this one layer. This module describes that
 * sandbox once for its two users, unpacking (layers.c) and removing (layer_remove.c).
 */

#include "daemon/dir_store.h"
#include "daemon/supervise.h"

#include <limits.h>

#define LAYER_SANDBOX_PROGRAM "/run/runbookd/bin/runbook-unpack" /* inside */
#define LAYER_SANDBOX_LAYER "/layer"

/** struct layer_sandboxes - what the sandboxes of all layers have in common */
struct layer_sandboxes {
	struct supervisor supervisor;
	struct dir_store *store;
	const char *instance;
	char program[PATH_MAX];
	uint64_t n_started; /* to give each a name of its own */
};

/** layer_sandbox_init() - set the members of @supervised that its owner has to set */
void layer_sandbox_init(const struct layer_sandboxes *by, struct supervised *supervised,
			void (*done)(struct supervised *supervised,
				     const struct supervised_end *end));
/**
 * layer_sandbox_start() - run @arguments with the directory of @claim at LAYER_SANDBOX_LAYER
 * @stdin_fd, @stdout_fd: owned by the caller; -1: none
 *
 * It is killed after IMAGE_UNPACK_TIMEOUT_SEC. Return: 0 or -errno with @error.
 */
int layer_sandbox_start(struct layer_sandboxes *by, struct supervised *supervised,
			const struct dir_claim *claim, char *const *arguments, int stdin_fd,
			int stdout_fd, struct error *error);
/** layer_sandbox_failure() - why it failed, from done(); @ret_error is ERROR_INIT if it did not */
void layer_sandbox_failure(const struct supervised *supervised, const struct supervised_end *end,
			   struct error *ret_error);

#endif
