/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_link.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

struct link_message {
	union {
		struct nlmsghdr header;
		char bytes[1024];
	};
};

static void *message_grow(struct link_message *message, size_t size)
{
	char *end = message->bytes + NLMSG_ALIGN(message->header.nlmsg_len);

	message->header.nlmsg_len =
		NLMSG_ALIGN(message->header.nlmsg_len) + (unsigned)NLMSG_ALIGN(size);
	return end;
}

static struct rtattr *attribute_start(struct link_message *message, unsigned short type)
{
	struct rtattr *attribute = message_grow(message, sizeof(*attribute));

	attribute->rta_type = type;
	return attribute;
}

static void attribute_end(struct link_message *message, struct rtattr *attribute)
{
	attribute->rta_len =
		(unsigned short)(message->bytes + message->header.nlmsg_len - (char *)attribute);
}

static void attribute_text(struct link_message *message, unsigned short type, const char *text)
{
	struct rtattr *attribute = attribute_start(message, type);
	size_t size = strlen(text) + 1;

	memcpy(message_grow(message, size), text, size);
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
}

int doctor_make_link(const char *kind, const char *name, const char *peer)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct link_message message = {0}, answer;
	struct rtattr *info;
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t got;

	if (fd < 0)
		return -errno;
	message.header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.nlmsg_type = RTM_NEWLINK,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
	};
	attribute_text(&message, IFLA_IFNAME, name);
	info = attribute_start(&message, IFLA_LINKINFO);
	attribute_text(&message, IFLA_INFO_KIND, kind);
	if (peer) {
		struct rtattr *data = attribute_start(&message, IFLA_INFO_DATA);
		struct rtattr *other = attribute_start(&message, VETH_INFO_PEER);

		memset(message_grow(&message, sizeof(struct ifinfomsg)), 0,
		       sizeof(struct ifinfomsg));
		attribute_text(&message, IFLA_IFNAME, peer);
		attribute_end(&message, other);
		attribute_end(&message, data);
	}
	attribute_end(&message, info);
	if (sendto(fd, &message, message.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	got = recv(fd, &answer, sizeof(answer), 0);
	if (got < 0)
		return -errno;
	if ((size_t)got < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
}
