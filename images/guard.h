/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_GUARD_H
#define IMAGES_GUARD_H

/*
 * DOC: The guard of a pull
 *
 * A reference, a registry's redirect or the address of a name may point anywhere: to a service on
 * loopback, into the private network, to the metadata service of a virtual machine. So each
 * connection of skopeo is decided at connect(2), after names, redirects and proxies have been
 * resolved, by a process of ours that is skopeo's parent:
 *
 *   runbook-image -> guard -> skopeo
 *
 * skopeo has a seccomp filter on top of that of runbook-image, which stops every connect(2) and
 * notifies the guard (seccomp_unotify(2)). The guard copies the address out of skopeo's memory
 * once, judges the copy, and connects skopeo's socket itself with that copy; so it has no effect
 * when another thread of skopeo changes the address meanwhile. The kernel never executes the
 * call of skopeo itself.
 *
 * The guard allows addresses of the internet that are not this host's own, the name servers of
 * resolv.conf(5) at port 53, the proxy of the environment, local sockets (name services), and the
 * registries that the administrator listed, by the addresses that their names have at that moment.
 */

#include <stdbool.h>
#include <sys/types.h>

#define GUARD_FAILED 123 /* exit status: the guard or its filter cannot be set up on this host */

/**
 * struct guard - destinations that are allowed besides the internet
 * @listed: registries, "host" or "host:port", NULL-terminated; without a port, 443 and 80
 */
struct guard {
	const char *const *listed;
};

/**
 * guard_run() - call @start in a child, decide its connections, and exit with its status
 * @start: called in the child; does not return
 *
 * To be called in a process that was forked for it; does not return. When a connection was
 * refused and the child fails, a line in skopeo's format on descriptor 2 has the address.
 */
_Noreturn void guard_run(const struct guard *guard, void (*start)(const void *user),
			 const void *user);

#endif
