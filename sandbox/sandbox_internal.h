/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_INTERNAL_H
#define SANDBOX_SANDBOX_INTERNAL_H

/*
 * DOC: What one running sandbox holds
 *
 * The members of struct sandbox_private, for sandbox.c, persist.c and their tests only: the
 * resources of the host that sandbox_finish() gives back.
 */

#include "sandbox/host.h"
#include "sandbox/kept_fields.h"
#include "sandbox/sandbox.h"

struct sandbox_private {
	struct sandbox_host *host;
	struct user_slot *slot;
	int run_fd;   /* cgroup of its run, -1: none */
	int group_fd; /* -1: no cgroup */
	int image_fd; /* an adopted one's lock on its template; -1: the host holds it */
	char run[SANDBOX_ID_MAX + 1];
	char id[SANDBOX_ID_MAX + 1];
	struct host_network_step network;
	struct sandbox_outcome in_force; /* its limits, for the outcome */
	bool collected;			 /* sandbox_collect() was called; its result: */
	int collected_result;
	struct sandbox_outcome outcome;
};

/** sandbox_private_free() - release everything that it holds of the host */
void sandbox_private_free(struct sandbox_private *private);

/**
 * sandbox_kept_read() - parse what sandbox_persist() of any version wrote
 * @kept:  filled in; its blobs point into @data
 * @kinds: of the descriptors, enum sandbox_kept_fd or unknown
 *
 * Return: 0; -EBADMSG and others of fields_unpack() with @error.
 */
int sandbox_kept_read(const struct sandbox_kept *data, struct kept_sandbox *kept,
		      uint16_t kinds[SANDBOX_KEPT_FDS_MAX], struct error *error);

#endif
