/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_H
#define SANDBOX_HOST_NETWORK_H

/*
 * DOC: Network "egress"
 *
 * Each step has a link of its own to the host (a veth pair) and an address of
 * its own that is routed over it; there is no bridge, hence no neighbour to
 * spoof. The host forwards and translates what goes out. One nftables table,
 * loaded once, drops what may not be reached:
 *
 *   everything addressed to the host itself, other steps, private, link-local,
 *   shared and metadata ranges, packets with a source that is not the step's own.
 *
 * Nothing on the host is touched before the first step that wants it.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct host_network;

/** struct host_network_step - one step's; .netns_fd is -1 while there is none */
struct host_network_step {
	int netns_fd;
	unsigned index; /* of its address; 0: none */
};

/**
 * host_network_new() - remember the configuration; touches nothing
 * @dns_servers: NULL-terminated; NULL: the host's own resolvers
 */
int host_network_new(struct host_network **ret_network, const char *const *dns_servers,
		     struct error *error);
/** host_network_free() - removes table, links and forwarding that it set up */
struct host_network *host_network_free(struct host_network *network);
/** host_network_sweep() - remove what killed programs left, unless others live */
int host_network_sweep(struct host_network *network, struct error *error);

/** host_network_resolv() - contents of resolv.conf for a step, owned by @network */
const char *host_network_resolv(struct host_network *network, struct error *error);

/** host_network_step_new() - a network namespace with its way out. Return: 0 or -errno. */
int host_network_step_new(struct host_network *network, struct host_network_step *step,
			  struct error *error);
/** host_network_step_free() - its link goes with the namespace, in the background */
void host_network_step_free(struct host_network *network, struct host_network_step *step);

#endif
