/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_GUARD_H
#define IMAGES_GUARD_H

/*
 * DOC: The guard of a pull
 *
 * A reference, a registry's redirect or the address behind a name may point
 * anywhere: to a service on loopback, into the private network, to the metadata
 * of the machine. What skopeo connects to is therefore decided at connect(2)
 * itself, behind names, redirects and proxies, by a process of ours that is
 * skopeo's parent:
 *
 *   runbook-image -> guard -> skopeo
 *
 * skopeo has a seccomp filter on top of the one of runbook-image that stops
 * every connect(2) and tells the guard. The guard reads the address out of
 * skopeo's memory once, judges this copy, and connects skopeo's socket itself
 * with this same copy: whatever another thread writes there meanwhile has no
 * effect. Nothing is ever let through to the kernel as skopeo asked it.
 *
 * Reached are addresses of the internet that are not this host's own, the name
 * servers of resolv.conf(5) at port 53, the proxy of the environment, local
 * sockets (name services), and the registries that the administrator listed,
 * by the addresses that their names have at this moment.
 */

#include <stdbool.h>
#include <sys/types.h>

#define GUARD_FAILED 123 /* exit status: the filter cannot be used here */

/**
 * struct guard - who may be reached besides the internet
 * @listed: registries, "host" or "host:port", NULL-terminated. Without a port: 443 and 80.
 */
struct guard {
	const char *const *listed;
};

/**
 * guard_run() - start @start in a child, judge what it connects to, and end as it ends
 * @start: does not return; in the new process
 *
 * What was refused is said on descriptor 2 behind all that the child wrote, as a
 * line of skopeo's form. Called in a process that was forked for it. Does not return.
 */
_Noreturn void guard_run(const struct guard *guard, void (*start)(const void *user),
			 const void *user);

#endif
