/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_rtnetlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <sys/socket.h>
#include <unistd.h>

int rt_error(struct error *error, int code, const char *what)
{
	int number = EIO;

	/* busy: an index whose link is still being removed */
	if (code == -NLE_EXIST || code == -NLE_BUSY)
		return -EEXIST;
	if (code == -NLE_PERM || code == -NLE_NOACCESS)
		number = EPERM;
	if (code == -NLE_NOMEM)
		number = ENOMEM;
	if (code == -NLE_OPNOTSUPP)
		number = ENOTSUP;
	return error_set(error, number, "cannot %s: %s", what, nl_geterror(code));
}

void rt_socket_free_fn(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket);
}

/* Drop what the kernel replied to a program that was killed before it read it. */
static void drain(int fd)
{
	char byte;

	while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == ENOBUFS)
		;
}

struct nl_sock *rt_socket_over(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct nl_sock *socket = copy < 0 ? NULL : nl_socket_alloc();

	if (socket)
		drain(copy);
	if (socket && nl_socket_set_fd(socket, NETLINK_ROUTE, copy) == 0)
		return socket;
	if (socket)
		nl_socket_free(socket);
	if (copy >= 0)
		(void)close(copy);
	return NULL;
}

/* ---- messages; if an attribute does not fit, the kernel rejects the message ---- */

struct nl_msg *rt_link_message(int type, int flags, int index, unsigned up)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = up, .ifi_change = up};

	if (message)
		(void)nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
	return message;
}

int rt_call(struct nl_sock *socket, struct nl_msg *message)
{
	return message ? nl_send_sync(socket, message) : -NLE_NOMEM;
}

int rt_address_add(struct nl_sock *socket, int index, int family, const void *local,
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
	return rt_call(socket, message);
}

int rt_route_add(struct nl_sock *socket, struct rtmsg info, const void *destination,
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
	return rt_call(socket, message);
}

static int index_take(struct nl_msg *message, void *userdata)
{
	const struct ifinfomsg *info = nlmsg_data(nlmsg_hdr(message));

	*(int *)userdata = info->ifi_index;
	return NL_OK;
}

int rt_link_find(struct nl_sock *socket, const char *name)
{
	struct nl_msg *message = rt_link_message(RTM_GETLINK, 0, 0, 0);
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

int rt_link_up(struct nl_sock *socket, int index)
{
	return rt_call(socket, rt_link_message(RTM_SETLINK, 0, index, IFF_UP));
}
