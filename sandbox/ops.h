/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OPS_H
#define SANDBOX_OPS_H

#include "sandbox/sandbox.h"

/** struct sandbox_ops - the library's operations on one sandbox; a test puts its own in */
struct sandbox_ops {
	int (*start)(struct sandbox_host *host, const struct sandbox_request *request,
		     struct sandbox *ret_sandbox, struct error *error);
	int (*signal)(struct sandbox *sandbox, int signal_number);
	int (*kill)(struct sandbox *sandbox);
	int (*finish)(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		      struct error *error);
	/* for sandboxes that outlive their host process; not called for others */
	int (*collect)(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		       struct error *error);
	int (*keep)(const struct sandbox *sandbox, struct sandbox_kept *ret_kept);
	int (*adopt)(struct sandbox_host *host, const struct sandbox_kept *kept,
		     struct sandbox *ret_sandbox, struct error *error);
};

/** sandbox_library - those of sandbox/sandbox.h */
extern const struct sandbox_ops sandbox_library;

#endif
