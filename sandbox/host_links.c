/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_links.h"

#include "common/cleanup.h"
#include "sandbox/host_rtnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSIDE_NAME "eth0"
#define INSIDE_INDEX 100  /* beyond the tunnels that some modules put into each new namespace */
#define ADDR_GEN_NONE 1	  /* IN6_ADDR_GEN_MODE_NONE: no link-local address of its own */
#define CONF_FORWARDING 1 /* IPV4_DEVCONF_FORWARDING */

/* The next hops of IPv6 on an uplink. Neither end has such an address: nothing is resolved. */
static const struct in6_addr host6 = {.s6_addr = {0xfe, 0x80, [15] = 1}};
static const struct in6_addr gateway6 = {.s6_addr = {0xfe, 0x80, [15] = 2}};

/* ---- parts of messages ---- */

/* The other end of a pair; .index 0: the kernel chooses one. */
struct veth_peer {
	const char *name;
	const uint8_t *mac;
	unsigned flags;
	int index;
	int netns_fd;
};

static void put_veth(struct nl_msg *message, const struct veth_peer *peer)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC,
				 .ifi_index = peer->index,
				 .ifi_flags = peer->flags,
				 .ifi_change = peer->flags};
	struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
	struct nlattr *data, *inside;

	(void)nla_put_string(message, IFLA_INFO_KIND, "veth");
	data = nla_nest_start(message, IFLA_INFO_DATA);
	inside = nla_nest_start(message, VETH_INFO_PEER);
	(void)nlmsg_append(message, &link, sizeof(link), NLMSG_ALIGNTO);
	(void)nla_put_string(message, IFLA_IFNAME, peer->name);
	(void)nla_put(message, IFLA_ADDRESS, LINK_MAC_BYTES, peer->mac);
	(void)nla_put_u32(message, IFLA_NET_NS_FD, (uint32_t)peer->netns_fd);
	(void)nla_nest_end(message, inside);
	(void)nla_nest_end(message, data);
	(void)nla_nest_end(message, info);
}

/* Makes a pair that resolves no addresses, of which the end @name is up. */
static int pair_make(struct nl_sock *socket, const char *name, int index,
		     const struct veth_peer *peer)
{
	struct nl_msg *message =
		rt_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, index, IFF_NOARP | IFF_UP);

	if (message) {
		(void)nla_put_string(message, IFLA_IFNAME, name);
		(void)nla_put(message, IFLA_ADDRESS, LINK_MAC_BYTES, peer->mac);
		put_veth(message, peer);
	}
	return rt_call(socket, message);
}

/* Settings of a link by family: no automatic addresses, and forwarding. */
static void put_families(struct nl_msg *message, bool forward4)
{
	struct nlattr *families = nla_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family, *conf;

	if (forward4) {
		family = nla_nest_start(message, AF_INET);
		conf = nla_nest_start(message, IFLA_INET_CONF);
		(void)nla_put_u32(message, CONF_FORWARDING, 1);
		(void)nla_nest_end(message, conf);
		(void)nla_nest_end(message, family);
	}
	family = nla_nest_start(message, AF_INET6);
	(void)nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE);
	(void)nla_nest_end(message, family);
	(void)nla_nest_end(message, families);
}

static int default_route_add(struct nl_sock *socket, int index, int family, const void *gateway)
{
	struct rtmsg info = {
		.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};

	return rt_route_add(socket, info, NULL, gateway, index);
}

/*
 * The kernel adds the local and neighbour routes of an IPv6 address in the background, which is
 * too late for a program that answers at once: so add them here.
 */
static int address6_route_add(struct nl_sock *socket, int index, const struct in6_addr *address,
			      bool ours)
{
	struct rtmsg info = {.rtm_family = AF_INET6,
			     .rtm_dst_len = 128,
			     .rtm_table = ours ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			     .rtm_type = ours ? RTN_LOCAL : RTN_UNICAST};

	return rt_route_add(socket, info, address, NULL, index);
}

static int address6_add(struct nl_sock *socket, int index, const struct in6_addr *address, int bits)
{
	int r = rt_address_add(socket, index, AF_INET6, address, NULL, bits);

	return r < 0 ? r : address6_route_add(socket, index, address, true);
}

/* ---- the link of a step with egress ---- */

static int address4_add(struct nl_sock *socket, int index, uint32_t local, uint32_t peer)
{
	uint32_t ours = htonl(local), theirs = htonl(peer);

	return rt_address_add(socket, index, AF_INET, &ours, &theirs, 32);
}

static int address4_route_add(struct nl_sock *socket, int index, uint32_t address)
{
	struct rtmsg info = {.rtm_family = AF_INET,
			     .rtm_dst_len = 32,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_scope = RT_SCOPE_LINK,
			     .rtm_type = RTN_UNICAST};
	uint32_t destination = htonl(address);

	return rt_route_add(socket, info, &destination, NULL, index);
}

/* Makes a pair of which one end is on the host. Return: its index or libnl's failure. */
static int host_end_make(struct nl_sock *socket, const char *name, const struct veth_peer *peer,
			 bool forward4)
{
	struct nl_msg *message;
	int r = pair_make(socket, name, 0, peer);
	int index = r < 0 ? r : rt_link_find(socket, name);

	if (index < 0)
		return index;
	message = rt_link_message(RTM_SETLINK, 0, index, 0);
	if (message)
		put_families(message, forward4);
	r = rt_call(socket, message);
	return r < 0 ? r : index;
}

/* Makes the pair in the host's namespace, with the peer already in the step's. */
static int host_side(const struct step_link *link, int netns_fd)
{
	cleanup_rt_socket struct nl_sock *socket = nl_socket_alloc();
	/* the peer cannot be up before the pair is joined (ENOTCONN) */
	const struct veth_peer peer = {
		.name = INSIDE_NAME, .mac = link->mac, .flags = IFF_NOARP, .netns_fd = netns_fd};
	int r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;
	int index = r < 0 ? r : host_end_make(socket, link->name, &peer, link->forward4);

	if (index < 0)
		return index;
	r = address4_add(socket, index, link->gateway, link->address);
	if (r == 0 && link->ipv6)
		r = address6_route_add(socket, index, &link->address6, false);
	return r;
}

/*
 * The same in the gateway's namespace. What a link needs on the host, all have there already;
 * and we are the only one to choose indices, so none need be looked up.
 */
static int gateway_side(const struct step_link *link, int netns_fd)
{
	cleanup_rt_socket struct nl_sock *socket = rt_socket_over(link->gateway_fd);
	const struct veth_peer peer = {.name = INSIDE_NAME,
				       .mac = link->mac,
				       .flags = IFF_NOARP,
				       .index = INSIDE_INDEX,
				       .netns_fd = netns_fd};
	int r = socket ? pair_make(socket, link->name, link->index, &peer) : -NLE_NOMEM;

	if (r == 0)
		r = address4_route_add(socket, link->index, link->address);
	if (r == 0 && link->ipv6)
		r = address6_route_add(socket, link->index, &link->address6, false);
	return r;
}

static int step_side(struct nl_sock *socket, const struct step_link *link)
{
	uint32_t gateway = htonl(link->gateway);
	int index = link->gateway_fd >= 0 ? INSIDE_INDEX : rt_link_find(socket, INSIDE_NAME);
	int r = index < 0 ? index : rt_link_up(socket, index);

	if (r == 0)
		r = address4_add(socket, index, link->address, link->gateway);
	if (r == 0)
		r = default_route_add(socket, index, AF_INET, &gateway);
	if (r == 0 && link->ipv6)
		r = address6_add(socket, index, &link->address6, 128);
	if (r == 0 && link->ipv6)
		r = default_route_add(socket, index, AF_INET6, NULL);
	return r;
}

int host_link_make(const struct step_link *link, int netns_fd, int netlink_fd, struct error *error)
{
	cleanup_close int fd = netlink_fd;
	cleanup_rt_socket struct nl_sock *socket = NULL;
	int r = link->gateway_fd >= 0 ? gateway_side(link, netns_fd) : host_side(link, netns_fd);

	if (r < 0)
		return rt_error(error, r, "make the link of a step");
	socket = rt_socket_over(fd);
	r = socket ? step_side(socket, link) : -NLE_NOMEM;
	return r < 0 ? rt_error(error, r, "set up a step's network") : 0;
}

/* ---- the uplink of a gateway ---- */

/* The ways from the host to the steps behind the uplink. */
static int range_add(struct nl_sock *socket, int index, const struct uplink *uplink,
		     const struct uplink_range *range)
{
	struct rtmsg info = {.rtm_family = AF_INET,
			     .rtm_dst_len = (unsigned char)range->bits,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_type = RTN_UNICAST};
	uint32_t address = htonl(range->address), gateway = htonl(uplink->gateway);
	int r = rt_route_add(socket, info, &address, &gateway, index);

	if (r < 0 || !uplink->ipv6)
		return r;
	info.rtm_family = AF_INET6;
	info.rtm_dst_len = (unsigned char)range->bits6;
	return rt_route_add(socket, info, &range->address6, &gateway6, index);
}

static int uplink_host_side(const struct uplink *uplink, int netns_fd)
{
	cleanup_rt_socket struct nl_sock *socket = nl_socket_alloc();
	const struct veth_peer peer = {.name = uplink->peer_name,
				       .mac = uplink->mac,
				       .flags = IFF_NOARP,
				       .netns_fd = netns_fd};
	int r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;
	int index = r < 0 ? r : host_end_make(socket, uplink->name, &peer, uplink->forward4);

	if (index < 0)
		return index;
	r = address4_add(socket, index, uplink->host, uplink->gateway);
	for (size_t i = 0; i < UPLINK_RANGES && r == 0; i++)
		r = range_add(socket, index, uplink, &uplink->ranges[i]);
	return r;
}

static int uplink_gateway_side(struct nl_sock *socket, const struct uplink *uplink)
{
	uint32_t host = htonl(uplink->host);
	int index = rt_link_find(socket, uplink->peer_name);
	int r = index < 0 ? index : rt_link_up(socket, index);

	if (r == 0)
		r = address4_add(socket, index, uplink->gateway, uplink->host);
	if (r == 0)
		r = default_route_add(socket, index, AF_INET, &host);
	if (r == 0 && uplink->ipv6)
		r = default_route_add(socket, index, AF_INET6, &host6);
	return r;
}

int host_uplink_make(const struct uplink *uplink, int netns_fd, int gateway_fd, struct error *error)
{
	cleanup_rt_socket struct nl_sock *socket = rt_socket_over(gateway_fd);
	int r = socket ? uplink_host_side(uplink, netns_fd) : -NLE_NOMEM;

	if (r == 0)
		r = uplink_gateway_side(socket, uplink);
	return r < 0 ? rt_error(error, r, "make the uplink of steps") : 0;
}

bool host_link_present(int netlink_fd, const char *name)
{
	cleanup_rt_socket struct nl_sock *socket = rt_socket_over(netlink_fd);

	return socket && rt_link_find(socket, name) > 0;
}

void host_link_delete(const char *name)
{
	cleanup_rt_socket struct nl_sock *socket = nl_socket_alloc();
	struct nl_msg *message;

	if (!socket || nl_connect(socket, NETLINK_ROUTE) < 0)
		return;
	message = rt_link_message(RTM_DELLINK, 0, 0, 0);
	if (message)
		(void)nla_put_string(message, IFLA_IFNAME, name);
	(void)rt_call(socket, message);
}

/* ---- the network of a run ---- */

int host_bridge_make(int netlink_fd, const char *name, struct error *error)
{
	cleanup_rt_socket struct nl_sock *socket = rt_socket_over(netlink_fd);
	struct nl_msg *message = rt_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
	struct nlattr *info, *data;
	int r = -NLE_NOMEM;

	if (socket && message) {
		(void)nla_put_string(message, IFLA_IFNAME, name);
		info = nla_nest_start(message, IFLA_LINKINFO);
		(void)nla_put_string(message, IFLA_INFO_KIND, "bridge");
		data = nla_nest_start(message, IFLA_INFO_DATA);
		/* forward at once, and do not wait for multicast groups to be learned */
		(void)nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0);
		(void)nla_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
		(void)nla_nest_end(message, data);
		(void)nla_nest_end(message, info);
		r = rt_call(socket, message);
	} else if (message) {
		nlmsg_free(message);
	}
	if (r == 0)
		r = rt_link_find(socket, name);
	return r < 0 ? rt_error(error, r, "make the bridge of a run") : r;
}

static int join_inside(struct nl_sock *socket, const struct group_link *link)
{
	uint32_t address = htonl(link->address);
	int index = rt_link_find(socket, INSIDE_NAME);
	int r = index < 0 ? index : rt_link_up(socket, index);

	if (r == 0)
		r = rt_address_add(socket, index, AF_INET, &address, NULL, link->bits);
	if (r == 0)
		r = address6_add(socket, index, &link->address6, link->bits6);
	return r;
}

int host_bridge_join(const struct group_link *link, int hub_fd, int bridge, int netns_fd,
		     int netlink_fd, struct error *error)
{
	cleanup_close int fd = netlink_fd;
	cleanup_rt_socket struct nl_sock *hub = rt_socket_over(hub_fd);
	cleanup_rt_socket struct nl_sock *socket = rt_socket_over(fd);
	struct nl_msg *message = rt_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
	int r = -NLE_NOMEM;

	if (hub && socket && message) {
		(void)nla_put_string(message, IFLA_IFNAME, link->name);
		(void)nla_put_u32(message, IFLA_MASTER, (uint32_t)bridge);
		put_veth(message, &(struct veth_peer){.name = INSIDE_NAME,
						      .mac = link->mac,
						      .netns_fd = netns_fd});
		r = rt_call(hub, message);
	} else if (message) {
		nlmsg_free(message);
	}
	if (r == 0)
		r = join_inside(socket, link);
	return r < 0 ? rt_error(error, r, "join the network of the run") : 0;
}
