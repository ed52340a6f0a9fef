/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_links.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <string.h>

#define INSIDE_NAME "eth0"

static void socket_free_fn(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket);
}
static void link_free_fn(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}
static void address_free_fn(struct nl_addr **address)
{
	if (*address)
		nl_addr_put(*address);
}
#define cleanup_socket __attribute__((cleanup(socket_free_fn)))
#define cleanup_link __attribute__((cleanup(link_free_fn)))
#define cleanup_address __attribute__((cleanup(address_free_fn)))

/* libnl has numbers of its own; the few that matter here, as errno. */
static int link_error(struct error *error, int code, const char *what)
{
	int number = EIO;

	if (code == -NLE_EXIST)
		return -EEXIST;
	if (code == -NLE_PERM || code == -NLE_NOACCESS)
		number = EPERM;
	if (code == -NLE_NOMEM)
		number = ENOMEM;
	if (code == -NLE_OPNOTSUPP)
		number = ENOTSUP;
	return error_set(error, number, "cannot %s: %s", what, nl_geterror(code));
}

static struct nl_addr *address_new(uint32_t address, int bits)
{
	uint32_t network = htonl(address);
	struct nl_addr *result = nl_addr_build(AF_INET, &network, sizeof(network));

	if (result)
		nl_addr_set_prefixlen(result, bits);
	return result;
}

static int pair_make(struct nl_sock *socket, const struct step_link *link, int netns_fd)
{
	cleanup_link struct rtnl_link *pair = rtnl_link_veth_alloc();
	struct rtnl_link *peer;
	int r;

	if (!pair)
		return -NLE_NOMEM;
	peer = rtnl_link_veth_get_peer(pair);
	rtnl_link_set_name(pair, link->name);
	rtnl_link_set_flags(pair, IFF_UP);
	rtnl_link_set_name(peer, INSIDE_NAME);
	/* the peer cannot be up before the pair is joined (ENOTCONN) */
	rtnl_link_set_ns_fd(peer, netns_fd);
	r = rtnl_link_add(socket, pair, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(peer);
	return r;
}

/* @peer other than 0: a point-to-point address, which also makes the route to the peer */
static int address_add(struct nl_sock *socket, int index, uint32_t local, uint32_t peer)
{
	cleanup_address struct nl_addr *local_address = address_new(local, 32);
	cleanup_address struct nl_addr *peer_address = peer ? address_new(peer, 32) : NULL;
	struct rtnl_addr *entry = rtnl_addr_alloc();
	int r = -NLE_NOMEM;

	if (entry && local_address && (peer_address || !peer)) {
		rtnl_addr_set_ifindex(entry, index);
		r = rtnl_addr_set_local(entry, local_address);
		if (r == 0 && peer)
			r = rtnl_addr_set_peer(entry, peer_address);
		if (r == 0)
			r = rtnl_addr_add(socket, entry, 0);
	}
	if (entry)
		rtnl_addr_put(entry);
	return r;
}

static int default_route_add(struct nl_sock *socket, int index, uint32_t gateway)
{
	cleanup_address struct nl_addr *everything = address_new(0, 0);
	cleanup_address struct nl_addr *via = address_new(gateway, 32);
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int r = -NLE_NOMEM;

	if (everything && via && route && hop) {
		rtnl_route_nh_set_ifindex(hop, index);
		rtnl_route_nh_set_gateway(hop, via);
		rtnl_route_add_nexthop(route, hop); /* the route owns it now */
		hop = NULL;
		r = rtnl_route_set_dst(route, everything);
		if (r == 0)
			r = rtnl_route_add(socket, route, NLM_F_CREATE);
	}
	if (hop)
		rtnl_route_nh_free(hop);
	if (route)
		rtnl_route_put(route);
	return r;
}

static int inside_setup(struct nl_sock *socket, const struct step_link *link)
{
	cleanup_link struct rtnl_link *inside = NULL, *change = rtnl_link_alloc();
	int index, r = rtnl_link_get_kernel(socket, 0, INSIDE_NAME, &inside);

	if (r < 0)
		return r;
	if (!change)
		return -NLE_NOMEM;
	rtnl_link_set_flags(change, IFF_UP);
	r = rtnl_link_change(socket, inside, change, 0);
	if (r < 0)
		return r;
	index = rtnl_link_get_ifindex(inside);
	r = address_add(socket, index, link->address, link->gateway);
	if (r == 0)
		r = default_route_add(socket, index, link->gateway);
	return r;
}

static int outside_setup(const struct step_link *link, int netns_fd, struct error *error)
{
	cleanup_socket struct nl_sock *socket = nl_socket_alloc();
	unsigned index;
	int r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return link_error(error, r, "open a netlink socket");
	r = pair_make(socket, link, netns_fd);
	if (r < 0)
		return link_error(error, r, "make a veth pair");
	index = if_nametoindex(link->name);
	if (index == 0)
		return error_errno(error, errno, "cannot find the link %s", link->name);
	r = address_add(socket, (int)index, link->gateway, link->address);
	return r < 0 ? link_error(error, r, "set the address of a step's link") : 0;
}

int host_link_make(const struct step_link *link, int netns_fd, int netlink_fd, struct error *error)
{
	cleanup_close int fd = netlink_fd;
	cleanup_socket struct nl_sock *socket = NULL;
	int r = outside_setup(link, netns_fd, error);

	if (r < 0)
		return r;
	socket = nl_socket_alloc();
	r = socket ? nl_socket_set_fd(socket, NETLINK_ROUTE, fd) : -NLE_NOMEM;
	if (r < 0)
		return link_error(error, r, "use the netlink socket of a step's network");
	(void)TAKE_FD(fd); /* closed with the socket */
	r = inside_setup(socket, link);
	return r < 0 ? link_error(error, r, "set up a step's network") : 0;
}
