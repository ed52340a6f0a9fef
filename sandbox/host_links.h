/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_LINKS_H
#define SANDBOX_HOST_LINKS_H

/* Links, addresses and routes of one step, by route netlink. */

#include "common/error.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_MAC_BYTES 6

/**
 * struct step_link - a veth pair from the host to a step; IPv4 in host byte order
 *
 * Both ends have the same MAC and ask for no other's (NOARP): there are just
 * the two, so nothing can be learned, spoofed or waited for.
 */
struct step_link {
	char name[IFNAMSIZ]; /* on the host */
	uint8_t mac[LINK_MAC_BYTES];
	uint32_t address; /* the step's */
	uint32_t gateway; /* the host's end, the same for every step */
	bool forward4;	  /* switch IPv4 forwarding on for the host's end */
	bool ipv6;
	struct in6_addr address6; /* needs no gateway: there is just the host */
};

/**
 * host_link_make() - a veth pair from the host into @netns_fd, with its routes
 * @netlink_fd: NETLINK_ROUTE socket of that namespace; taken over, always
 *
 * Return: 0; -EEXIST when the name is still in use; -errno with @error.
 */
int host_link_make(const struct step_link *link, int netns_fd, int netlink_fd, struct error *error);

/**
 * struct group_link - a step's place in the network of its run
 * @name: of the end in the hub
 */
struct group_link {
	char name[IFNAMSIZ];
	uint8_t mac[LINK_MAC_BYTES];
	uint32_t address; /* host byte order */
	int bits;	  /* of the network's prefix */
	struct in6_addr address6;
	int bits6;
};

/** host_bridge_make() - a bridge that is up, through @netlink_fd (kept). Return: index or -errno. */
int host_bridge_make(int netlink_fd, const char *name, struct error *error);
/**
 * host_bridge_join() - connect @netns_fd to the bridge
 * @hub_fd:     NETLINK_ROUTE socket of the hub's namespace, where the bridge is; kept
 * @bridge:     its index there
 * @netlink_fd: the step's; taken over, always
 */
int host_bridge_join(const struct group_link *link, int hub_fd, int bridge, int netns_fd,
		     int netlink_fd, struct error *error);

#endif
