/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OPS_H
#define SANDBOX_OPS_H

/*
 * DOC: Operations on a sandbox as a table
 *
 * daemon/supervise.h reaches the sandbox library through this table, so that its tests can put
 * operations in that start no process.
 */

#include "sandbox/sandbox.h"

/** struct sandbox_ops - each member is the function sandbox_<member>() of sandbox/sandbox.h */
struct sandbox_ops {
	int (*start)(struct sandbox_host *host, const struct sandbox_request *request,
		     struct sandbox *ret_sandbox, struct error *error);
	int (*launch_begin)(struct sandbox_host *host, const struct sandbox_request *request,
			    void *userdata, struct sandbox_launch **ret_launch,
			    struct error *error);
	int (*launch_fd)(const struct sandbox_host *host);
	void *(*launch_next)(struct sandbox_host *host);
	int (*launch_end)(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
			  struct error *error);
	int (*signal)(struct sandbox *sandbox, int signal_number);
	int (*kill)(struct sandbox *sandbox);
	int (*finish)(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		      struct error *error);
	/* only called for sandboxes that may outlive their host process */
	int (*collect)(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		       struct error *error);
	int (*persist)(const struct sandbox *sandbox, struct sandbox_kept *ret_kept);
	int (*adopt)(struct sandbox_host *host, const struct sandbox_kept *kept,
		     struct sandbox *ret_sandbox, struct error *error);
};

/** sandbox_library - the functions of sandbox/sandbox.h */
extern const struct sandbox_ops sandbox_library;

#endif
