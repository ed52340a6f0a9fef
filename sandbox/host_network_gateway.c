/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network_parts.h"

#include "common/cleanup.h"
#include "sandbox/host_links.h"
#include "sandbox/host_nft.h"
#include "sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * DOC: The gateway
 *
 * A network namespace between the host and the steps of one program: the steps' links end in it,
 * and one veth pair, the uplink, leads on to the host. So the host's links, addresses and routes
 * change once and not with every step. Programs that watch them (browsers drop their requests,
 * udev and network managers look at each link) are not disturbed by steps, and the links of
 * steps need nothing that the host would have to know.
 *
 * The gateway forwards between the uplink and the steps, never between two steps, and drops
 * packets whose source is not the address of the link that they came over. It translates
 * nothing: the host's table sees the steps' own addresses, and filters and counts by them.
 *
 * Several programs may each have a gateway. Those share the addresses in parts: a part belongs
 * to the program that holds its lock in the record, and the host routes it over that program's
 * uplink. Links that end on the host have routes of their own, which are more specific, so
 * runbook-sandbox may use any address.
 *
 * The namespace lives as long as the socket in it, which a successor inherits. The links' names
 * say which part is ours.
 */

#define PARTS 8U
#define PART_SIZE (NFT_INDEX_LISTED / PARTS)
#define PART_BITS 20
#define PART_BITS6 116

#define COMMON_SETTINGS                                                                            \
	{"/proc/sys/net/ipv4/ip_forward", "1", false},                                             \
		{"/proc/sys/net/ipv6/conf/default/accept_ra", "0", true},                          \
		{"/proc/sys/net/ipv6/conf/default/accept_redirects", "0", true},                   \
	{                                                                                          \
		"/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1", true                         \
	}

static const struct netns_setting settings[] = {
	COMMON_SETTINGS,
	{"/proc/sys/net/ipv6/conf/all/forwarding", "1", true},
	{NULL, NULL, false},
};
static const struct netns_setting settings_no_ipv6[] = {
	COMMON_SETTINGS,
	{"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", true},
	{NULL, NULL, false},
};

static void names_of(unsigned part, char name[IFNAMSIZ], char peer_name[IFNAMSIZ])
{
	(void)snprintf(name, IFNAMSIZ, NFT_LINK_PREFIX "-" NFT_UPLINK_PREFIX "%u", part);
	(void)snprintf(peer_name, IFNAMSIZ, NFT_UPLINK_PREFIX "%u", part);
}

unsigned gateway_index_first(const struct network_gateway *gateway, bool limited)
{
	return (limited ? NFT_INDEX_LISTED : 0) + gateway->part * PART_SIZE;
}

unsigned gateway_index_span(void)
{
	return PART_SIZE;
}

static struct uplink uplink_of(const struct host_network *network,
			       const struct network_gateway *gateway)
{
	const struct record_contents *contents = &network->record.contents;
	struct uplink uplink = {.host = contents->subnet + 1,
				.gateway = contents->subnet + 2 + gateway->part,
				.forward4 = !contents->routes4,
				.ipv6 = record_has_subnet6(contents),
				/* locally administered, "rbu" */
				.mac = {0x02, 0x72, 0x62, 0x75, 0, (uint8_t)gateway->part}};

	names_of(gateway->part, uplink.name, uplink.peer_name);
	for (size_t i = 0; i < UPLINK_RANGES; i++) {
		unsigned first = gateway_index_first(gateway, i > 0);

		uplink.ranges[i] =
			(struct uplink_range){.address = contents->subnet + first,
					      .bits = PART_BITS,
					      .address6 = record_address6(contents, first),
					      .bits6 = PART_BITS6};
	}
	return uplink;
}

/* Makes the uplink of the first part that is free. Return: 0; -EADDRINUSE; -errno with @error. */
static int uplink_make(struct host_network *network, int netns_fd, int fd, struct error *error)
{
	struct network_gateway gateway = {.fd = fd};

	for (; gateway.part < PARTS; gateway.part++) {
		struct uplink uplink = uplink_of(network, &gateway);
		int r = record_lock(&network->record, RECORD_GATEWAY + (off_t)gateway.part, F_WRLCK,
				    false);

		if (r < 0)
			continue;
		r = host_uplink_make(&uplink, netns_fd, fd, error);
		if (r == 0)
			r = record_forwarding6_on(&network->record.contents, uplink.name, error);
		if (r == 0) {
			network->gateway = gateway;
			return 0;
		}
		record_unlock(&network->record, RECORD_GATEWAY + (off_t)gateway.part, 1);
		/* -EEXIST: the kernel is still removing the uplink of a killed program */
		if (r != -EEXIST)
			return r;
	}
	return -EADDRINUSE;
}

int gateway_open(struct host_network *network, struct error *error)
{
	bool ipv6 = record_has_subnet6(&network->record.contents);
	cleanup_close int netns_fd = -1, fd = -1;
	int r;

	netns_fd = spawn_netns(ipv6 ? settings : settings_no_ipv6, &fd, error);
	if (netns_fd < 0)
		return netns_fd;
	/* the filter before the links that it guards */
	r = nft_gateway_load(netns_fd, error);
	if (r == 0)
		r = uplink_make(network, netns_fd, fd, error);
	if (r == 0)
		fd = -1; /* network->gateway has it */
	if (r != -EADDRINUSE)
		return r;
	/* no part is free: the links of this program end on the host */
	network->has_gateway = false;
	return 0;
}

void gateway_inherit(struct host_network *network, int fd)
{
	struct network_gateway gateway = {.fd = fd};
	char name[IFNAMSIZ], peer_name[IFNAMSIZ];

	if (fd < 0)
		return;
	for (; gateway.part < PARTS && network->ready; gateway.part++) {
		names_of(gateway.part, name, peer_name);
		if (!host_link_present(fd, peer_name))
			continue;
		network->gateway = gateway;
		return;
	}
	/* without an uplink it leads nowhere, and another one is made when it is needed */
	(void)close(fd);
}

bool gateway_present(const struct host_network *network)
{
	char name[IFNAMSIZ], peer_name[IFNAMSIZ];

	if (network->gateway.fd < 0)
		return false;
	names_of(network->gateway.part, name, peer_name);
	return if_nametoindex(name) > 0;
}

void gateway_close(struct host_network *network)
{
	char name[IFNAMSIZ], peer_name[IFNAMSIZ];

	if (network->gateway.fd < 0)
		return;
	names_of(network->gateway.part, name, peer_name);
	host_link_delete(name);
	(void)close(network->gateway.fd);
	network->gateway.fd = -1;
	record_unlock(&network->record, RECORD_GATEWAY + (off_t)network->gateway.part, 1);
}
