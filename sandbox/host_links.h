/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_LINKS_H
#define SANDBOX_HOST_LINKS_H

/*
 * DOC: Links of one step
 *
 * Makes the veth pairs, bridges, addresses and routes of a step with rtnetlink(7). It keeps no
 * state: names and addresses come from the callers, host_network_egress.c,
 * host_network_gateway.c and host_network_group.c, and a link goes with the namespace of its step.
 */

#include "common/error.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_MAC_BYTES 6

/**
 * struct step_link - a veth pair from a step to the gateway or the host; IPv4 in host byte order
 *
 * Both ends have the same MAC and resolve no addresses (NOARP): there are just the two, so no
 * address must be learned or waited for, and none can be spoofed.
 */
struct step_link {
	char name[IFNAMSIZ]; /* of the end that is not the step's */
	int gateway_fd;	     /* NETLINK_ROUTE socket of its namespace; -1: it is on the host */
	int index;	     /* of that end, where it is in a gateway */
	uint8_t mac[LINK_MAC_BYTES];
	uint32_t address; /* the step's */
	uint32_t gateway; /* the host's, the same for every step */
	bool forward4;	  /* enable IPv4 forwarding on an end that is on the host */
	bool ipv6;
	struct in6_addr address6; /* needs no gateway: the other end is the only neighbour */
};

/**
 * host_link_make() - make a veth pair into @netns_fd, with its routes
 * @netlink_fd: NETLINK_ROUTE socket of that namespace; closed here, also on failure
 *
 * Return: 0; -EEXIST if the name is still in use; -errno with @error.
 */
int host_link_make(const struct step_link *link, int netns_fd, int netlink_fd, struct error *error);

#define UPLINK_RANGES 2

/** struct uplink_range - addresses of the steps behind an uplink; IPv4 in host byte order */
struct uplink_range {
	uint32_t address;
	struct in6_addr address6;
	int bits, bits6; /* of the prefixes */
};

/** struct uplink - a veth pair from the host to a gateway; IPv4 in host byte order */
struct uplink {
	char name[IFNAMSIZ]; /* on the host */
	char peer_name[IFNAMSIZ];
	uint8_t mac[LINK_MAC_BYTES];
	uint32_t host, gateway; /* addresses of the two ends */
	bool forward4;		/* enable IPv4 forwarding on the host's end */
	bool ipv6;
	struct uplink_range ranges[UPLINK_RANGES];
};

/**
 * host_uplink_make() - make the pair from the host to the gateway in @netns_fd, with its routes
 * @gateway_fd: NETLINK_ROUTE socket of that namespace; stays open
 *
 * Return: 0; -EEXIST if the name is still in use; -errno with @error.
 */
int host_uplink_make(const struct uplink *uplink, int netns_fd, int gateway_fd,
		     struct error *error);
/** host_link_present() - is there a link @name in the namespace of the socket @netlink_fd? */
bool host_link_present(int netlink_fd, const char *name);
/** host_link_delete() - remove the host's link @name, if it is there, and wait until it is gone */
void host_link_delete(const char *name);

/**
 * struct group_link - a veth pair from a step to the bridge of its run
 * @name: of the end at the bridge
 */
struct group_link {
	char name[IFNAMSIZ];
	uint8_t mac[LINK_MAC_BYTES];
	uint32_t address; /* host byte order */
	int bits;	  /* of the network's prefix */
	struct in6_addr address6;
	int bits6;
};

/** host_bridge_make() - make a bridge that is up. Return: its index; -errno with @error. */
int host_bridge_make(int netlink_fd, const char *name, struct error *error);
/**
 * host_bridge_join() - connect @netns_fd to the bridge
 * @hub_fd:     NETLINK_ROUTE socket of the hub's namespace, where the bridge is; stays open
 * @bridge:     its index there
 * @netlink_fd: NETLINK_ROUTE socket of the step's; closed here, also on failure
 *
 * Return: 0 or -errno with @error.
 */
int host_bridge_join(const struct group_link *link, int hub_fd, int bridge, int netns_fd,
		     int netlink_fd, struct error *error);

#endif
