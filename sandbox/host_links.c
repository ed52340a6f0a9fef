/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_links.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSIDE_NAME "eth0"
#define ADDR_GEN_NONE 1	  /* IN6_ADDR_GEN_MODE_NONE: no link-local address of its own */
#define CONF_FORWARDING 1 /* IPV4_DEVCONF_FORWARDING */

static void socket_free_fn(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket);
}
#define cleanup_socket __attribute__((cleanup(socket_free_fn)))

/* Translates those error numbers of libnl that matter here to errno. */
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

/* Duplicates @fd, since the library closes the descriptor of its socket. */
static struct nl_sock *socket_over(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct nl_sock *socket = copy < 0 ? NULL : nl_socket_alloc();

	if (socket && nl_socket_set_fd(socket, NETLINK_ROUTE, copy) == 0)
		return socket;
	if (socket)
		nl_socket_free(socket);
	if (copy >= 0)
		(void)close(copy);
	return NULL;
}

/* ---- messages; if an attribute does not fit, the kernel rejects the message ---- */

static struct nl_msg *link_message(int type, int flags, int index, unsigned up)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = up, .ifi_change = up};

	if (message)
		(void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
	return message;
}

/* Frees @message. Return: 0 or a negative number of libnl's. */
static int call(struct nl_sock *socket, struct nl_msg *message)
{
	return message ? nl_send_sync(socket, message) : -NLE_NOMEM;
}

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

/* With @peer, a point-to-point address, for which the kernel adds the route to the peer. */
static int address_add(struct nl_sock *socket, int index, int family, const void *local,
		       const void *peer, int bits)
{
	struct nl_msg *message =
		nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg info = {.ifa_family = (uint8_t)family,
				 .ifa_prefixlen = (uint8_t)bits,
				 .ifa_flags = IFA_F_NODAD,
				 .ifa_index = (uint32_t)index};
	int size = family == AF_INET ? 4 : 16;

	if (!message)
		return -NLE_NOMEM;
	(void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
	(void)nla_put(message, IFA_LOCAL, size, local);
	(void)nla_put(message, IFA_ADDRESS, size, peer ? peer : local);
	return call(socket, message);
}

/* @gateway: NULL if the destinations are on the link */
static int route_add(struct nl_sock *socket, struct rtmsg info, const void *destination,
		     const void *gateway, int index)
{
	struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE);
	int size = info.rtm_family == AF_INET ? 4 : 16;

	if (!message)
		return -NLE_NOMEM;
	info.rtm_protocol = RTPROT_STATIC;
	(void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
	if (destination)
		(void)nla_put(message, RTA_DST, size, destination);
	if (gateway)
		(void)nla_put(message, RTA_GATEWAY, size, gateway);
	(void)nla_put_u32(message, RTA_OIF, (uint32_t)index);
	return call(socket, message);
}

static int default_route_add(struct nl_sock *socket, int index, int family, const void *gateway)
{
	struct rtmsg info = {
		.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};

	return route_add(socket, info, NULL, gateway, index);
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

	return route_add(socket, info, address, NULL, index);
}

static int address6_add(struct nl_sock *socket, int index, const struct in6_addr *address, int bits)
{
	int r = address_add(socket, index, AF_INET6, address, NULL, bits);

	return r < 0 ? r : address6_route_add(socket, index, address, true);
}

static int index_take(struct nl_msg *message, void *userdata)
{
	const struct ifinfomsg *info = nlmsg_data(nlmsg_hdr(message));

	*(int *)userdata = info->ifi_index;
	return NL_OK;
}

/* Return: the index of the link @name, or a negative number of libnl's. */
static int index_find(struct nl_sock *socket, const char *name)
{
	struct nl_msg *message = link_message(RTM_GETLINK, 0, 0, 0);
	int index = -NLE_OBJ_NOTFOUND;
	int r;

	if (!message)
		return -NLE_NOMEM;
	(void)nla_put_string(message, IFLA_IFNAME, name);
	(void)nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, index_take, &index);
	r = nl_send_auto(socket, message);
	nlmsg_free(message);
	/* the reply, then the acknowledgement */
	if (r >= 0)
		r = nl_recvmsgs_default(socket);
	if (r >= 0)
		r = nl_wait_for_ack(socket);
	(void)nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return r < 0 ? r : index;
}

static int link_up(struct nl_sock *socket, int index)
{
	return call(socket, link_message(RTM_SETLINK, 0, index, IFF_UP));
}

/* ---- a pair of the host and a step ---- */

static int address4_add(struct nl_sock *socket, int index, uint32_t local, uint32_t peer)
{
	uint32_t ours = htonl(local), theirs = htonl(peer);

	return address_add(socket, index, AF_INET, &ours, &theirs, 32);
}

/* Makes the pair in the host's namespace, with the peer already in the step's. */
static int outside_setup(const struct step_link *link, int netns_fd, struct error *error)
{
	cleanup_socket struct nl_sock *socket = nl_socket_alloc();
	struct nl_msg *message = NULL;
	int index, r = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return link_error(error, r, "open a netlink socket");
	message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_NOARP | IFF_UP);
	if (message) {
		(void)nla_put_string(message, IFLA_IFNAME, link->name);
		(void)nla_put(message, IFLA_ADDRESS, LINK_MAC_BYTES, link->mac);
		/* the peer cannot be up before the pair is joined (ENOTCONN) */
		put_veth(message, link->mac, IFF_NOARP, netns_fd);
	}
	r = call(socket, message);
	if (r < 0)
		return link_error(error, r, "make a veth pair");
	index = index_find(socket, link->name);
	if (index < 0)
		return link_error(error, index, "find the link of a step");
	message = link_message(RTM_SETLINK, 0, index, 0);
	if (message)
		put_families(message, link->forward4);
	r = call(socket, message);
	if (r == 0)
		r = address4_add(socket, index, link->gateway, link->address);
	if (r == 0 && link->ipv6)
		r = address6_route_add(socket, index, &link->address6, false);
	return r < 0 ? link_error(error, r, "set the address of a step's link") : 0;
}

static int inside_setup(struct nl_sock *socket, const struct step_link *link)
{
	uint32_t gateway = htonl(link->gateway);
	int index = index_find(socket, INSIDE_NAME);
	int r = index < 0 ? index : link_up(socket, index);

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
	cleanup_socket struct nl_sock *socket = NULL;
	int r = outside_setup(link, netns_fd, error);

	if (r < 0)
		return r;
	socket = socket_over(fd);
	r = socket ? inside_setup(socket, link) : -NLE_NOMEM;
	return r < 0 ? link_error(error, r, "set up a step's network") : 0;
}

/* ---- the network of a run ---- */

int host_bridge_make(int netlink_fd, const char *name, struct error *error)
{
	cleanup_socket struct nl_sock *socket = socket_over(netlink_fd);
	struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
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
		r = call(socket, message);
	} else if (message) {
		nlmsg_free(message);
	}
	if (r == 0)
		r = index_find(socket, name);
	return r < 0 ? link_error(error, r, "make the bridge of a run") : r;
}

static int join_inside(struct nl_sock *socket, const struct group_link *link)
{
	uint32_t address = htonl(link->address);
	int index = index_find(socket, INSIDE_NAME);
	int r = index < 0 ? index : link_up(socket, index);

	if (r == 0)
		r = address_add(socket, index, AF_INET, &address, NULL, link->bits);
	if (r == 0)
		r = address6_add(socket, index, &link->address6, link->bits6);
	return r;
}

int host_bridge_join(const struct group_link *link, int hub_fd, int bridge, int netns_fd,
		     int netlink_fd, struct error *error)
{
	cleanup_close int fd = netlink_fd;
	cleanup_socket struct nl_sock *hub = socket_over(hub_fd);
	cleanup_socket struct nl_sock *socket = socket_over(fd);
	struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
	int r = -NLE_NOMEM;

	if (hub && socket && message) {
		(void)nla_put_string(message, IFLA_IFNAME, link->name);
		(void)nla_put_u32(message, IFLA_MASTER, (uint32_t)bridge);
		put_veth(message, link->mac, 0, netns_fd);
		r = call(hub, message);
	} else if (message) {
		nlmsg_free(message);
	}
	if (r == 0)
		r = join_inside(socket, link);
	return r < 0 ? link_error(error, r, "join the network of the run") : 0;
}
