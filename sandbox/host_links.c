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
#define ADDR_GEN_NONE 1	  /* IN6_ADDR_GEN_MODE_NONE: no link-local address of its own */
#define CONF_FORWARDING 1 /* IPV4_DEVCONF_FORWARDING */

/* ---- parts of messages ---- */

static void put_veth(struct nl_msg *message, const uint8_t *mac, unsigned flags, int netns_fd)
{
	struct ifinfomsg peer = {.ifi_family = AF_UNSPEC, .ifi_flags = flags, .ifi_change = flags};
	struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
	struct nlattr *data, *inside;

	(void)nla_put_string(message, IFLA_INFO_KIND, "veth");
	data = nla_nest_start(message, IFLA_INFO_DATA);
	inside = nla_nest_start(message, VETH_INFO_PEER);
	(void)nlmsg_append(message, &peer, sizeof(peer), NLMSG_ALIGNTO);
	(void)nla_put_string(message, IFLA_IFNAME, INSIDE_NAME);
	(void)nla_put(message, IFLA_ADDRESS, LINK_MAC_BYTES, mac);
	(void)nla_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	(void)nla_nest_end(message, inside);
	(void)nla_nest_end(message, data);
	(void)nla_nest_end(message, info);
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

/* ---- a pair of the host and a step ---- */

static int address4_add(struct nl_sock *socket, int index, uint32_t local, uint32_t peer)
{
	uint32_t ours = htonl(local), theirs = htonl(peer);

	return rt_address_add(socket, index, AF_INET, &ours, &theirs, 32);
}

/* Makes the pair in the host's namespace, with the peer already in the step's. */
static int outside_setup(const struct step_link *link, int netns_fd, struct error *error)
{
	cleanup_rt_socket struct nl_sock *socket = nl_socket_alloc();
	struct nl_msg *message = NULL;
	int index, r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return rt_error(error, r, "open a netlink socket");
	message = rt_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_NOARP | IFF_UP);
	if (message) {
		(void)nla_put_string(message, IFLA_IFNAME, link->name);
		(void)nla_put(message, IFLA_ADDRESS, LINK_MAC_BYTES, link->mac);
		/* the peer cannot be up before the pair is joined (ENOTCONN) */
		put_veth(message, link->mac, IFF_NOARP, netns_fd);
	}
	r = rt_call(socket, message);
	if (r < 0)
		return rt_error(error, r, "make a veth pair");
	index = rt_link_find(socket, link->name);
	if (index < 0)
		return rt_error(error, index, "find the link of a step");
	message = rt_link_message(RTM_SETLINK, 0, index, 0);
	if (message)
		put_families(message, link->forward4);
	r = rt_call(socket, message);
	if (r == 0)
		r = address4_add(socket, index, link->gateway, link->address);
	if (r == 0 && link->ipv6)
		r = address6_route_add(socket, index, &link->address6, false);
	return r < 0 ? rt_error(error, r, "set the address of a step's link") : 0;
}

static int inside_setup(struct nl_sock *socket, const struct step_link *link)
{
	uint32_t gateway = htonl(link->gateway);
	int index = rt_link_find(socket, INSIDE_NAME);
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
	int r = outside_setup(link, netns_fd, error);

	if (r < 0)
		return r;
	socket = rt_socket_over(fd);
	r = socket ? inside_setup(socket, link) : -NLE_NOMEM;
	return r < 0 ? rt_error(error, r, "set up a step's network") : 0;
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
		put_veth(message, link->mac, 0, netns_fd);
		r = rt_call(hub, message);
	} else if (message) {
		nlmsg_free(message);
	}
	if (r == 0)
		r = join_inside(socket, link);
	return r < 0 ? rt_error(error, r, "join the network of the run") : 0;
}
