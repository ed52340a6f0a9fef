/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_nft_netlink.h"

#include "common/cleanup.h"
#include "sandbox/host_nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 32768
#define BATCH_MAX 3
/* an element is at most 2 * 48 bytes of key and 12 of headers */
#define MESSAGE_BYTES (NETWORK_RULES_TIDY_MAX * 112 + 256)

static struct nl_msg *netlink_message_new(int type, int flags, uint8_t family)
{
	struct nl_msg *message = nlmsg_alloc_size(MESSAGE_BYTES);
	struct nfgenmsg head = {.nfgen_family = family, .version = NFNETLINK_V0};

	if (message &&
	    nlmsg_put(message, 0, 0, NFNL_SUBSYS_NFTABLES << 8 | type, 0, NLM_F_REQUEST | flags))
		(void)nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO);
	return message;
}

static int socket_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	return fd < 0 ? -errno : fd;
}

static int message_send(int fd, struct nl_msg *message)
{
	const struct nlmsghdr *header = message ? nlmsg_hdr(message) : NULL;
	int r = 0;

	if (!header)
		return -ENOMEM;
	if (send(fd, header, header->nlmsg_len, 0) < 0)
		r = -errno;
	nlmsg_free(message);
	return r;
}

bool nft_table_present(void)
{
	_Alignas(8) char answer[4096];
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer;
	cleanup_close int fd = socket_open();
	struct nl_msg *message = netlink_message_new(NFT_MSG_GETTABLE, 0, NFPROTO_INET);

	if (message)
		(void)nla_put_string(message, NFTA_TABLE_NAME, NFT_TABLE);
	if (fd < 0) {
		nlmsg_free(message);
		return false;
	}
	if (message_send(fd, message) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(*header))
		return false;
	return header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
}

/* ---- elements ---- */

/* A concatenated key: each field begins at a multiple of four bytes. */
struct key {
	uint8_t data[40];
	size_t size;
};

static void key_put(struct key *key, const void *data, size_t size)
{
	memcpy(key->data + key->size, data, size);
	key->size += (size + 3) & ~(size_t)3;
}

static struct key key_of(const struct nft_listed *listed, const struct network_rule *rule,
			 bool last)
{
	struct key key = {.size = 0};
	size_t bytes = rule->version == 4 ? 4 : 16;
	uint16_t port = htons(last ? rule->port_last : rule->port_first);
	uint8_t address[16];

	memcpy(address, rule->address, sizeof(address));
	if (last)
		network_rule_last(rule, address);
	key_put(&key,
		rule->version == 4 ? (const void *)&listed->address
				   : (const void *)&listed->address6,
		bytes);
	key_put(&key, address, bytes);
	key_put(&key, last ? &rule->protocol_last : &rule->protocol_first, 1);
	key_put(&key, &port, sizeof(port));
	return key;
}

static void put_key(struct nl_msg *message, int type, const struct key *key)
{
	struct nlattr *nest = nla_nest_start(message, type);

	(void)nla_put(message, NFTA_DATA_VALUE, (int)key->size, key->data);
	(void)nla_nest_end(message, nest);
}

static struct nl_msg *elements_message(const struct nft_listed *listed, int type, int flags,
				       uint8_t version, const struct network_rule *only)
{
	struct nl_msg *message = netlink_message_new(type, flags, NFPROTO_INET);
	struct nlattr *list, *element;
	char set[8];

	if (!message)
		return NULL;
	(void)snprintf(set, sizeof(set), "%s%u", listed->only ? "only" : "allow", version);
	(void)nla_put_string(message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	(void)nla_put_string(message, NFTA_SET_ELEM_LIST_SET, set);
	list = nla_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < listed->n_rules; i++) {
		const struct network_rule *rule = &listed->rules[i];
		struct key first = key_of(listed, rule, false), last = key_of(listed, rule, true);

		if (rule->version != version || (only && only != rule))
			continue;
		element = nla_nest_start(message, NFTA_LIST_ELEM);
		put_key(message, NFTA_SET_ELEM_KEY, &first);
		put_key(message, NFTA_SET_ELEM_KEY_END, &last);
		(void)nla_nest_end(message, element);
	}
	(void)nla_nest_end(message, list);
	return message;
}

static struct nl_msg *batch_mark(int type)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST);
	struct nfgenmsg head = {.nfgen_family = AF_UNSPEC,
				.version = NFNETLINK_V0,
				.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	if (message)
		(void)nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO);
	return message;
}

/*
 * The acknowledgement of the message in the middle is the verdict on the batch; an error of the
 * whole batch has another message's sequence number.
 */
static int batch_answer(int fd)
{
	_Alignas(8) char answer[ANSWER_BYTES];
	ssize_t size = recv(fd, answer, sizeof(answer), 0);
	int left = (int)size;

	if (size < 0)
		return -errno;
	for (const struct nlmsghdr *at = (const struct nlmsghdr *)(const void *)answer;
	     nlmsg_ok(at, left); at = nlmsg_next((struct nlmsghdr *)at, &left)) {
		if (at->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)nlmsg_data(at))->error;
	}
	return -EIO;
}

/* Frees @message. Return: 0 or -errno. */
static int transaction(struct nl_msg *message)
{
	struct nl_msg *messages[BATCH_MAX] = {batch_mark(NFNL_MSG_BATCH_BEGIN), message,
					      batch_mark(NFNL_MSG_BATCH_END)};
	struct iovec parts[BATCH_MAX];
	struct msghdr all = {.msg_iov = parts, .msg_iovlen = BATCH_MAX};
	cleanup_close int fd = socket_open();
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; i < BATCH_MAX; i++) {
		if (!messages[i]) {
			r = -ENOMEM;
			continue;
		}
		nlmsg_hdr(messages[i])->nlmsg_seq = (uint32_t)i;
		parts[i] =
			(struct iovec){nlmsg_hdr(messages[i]), nlmsg_hdr(messages[i])->nlmsg_len};
	}
	if (r == 0)
		r = sendmsg(fd, &all, 0) < 0 ? -errno : batch_answer(fd);
	for (size_t i = 0; i < BATCH_MAX; i++) {
		if (messages[i])
			nlmsg_free(messages[i]);
	}
	return r;
}

static bool has_version(const struct nft_listed *listed, uint8_t version)
{
	for (size_t i = 0; i < listed->n_rules; i++) {
		if (listed->rules[i].version == version)
			return true;
	}
	return false;
}

int nft_elements_add(const struct nft_listed *listed, struct error *error)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		int r = 0;

		if (has_version(listed, version))
			r = transaction(elements_message(listed, NFT_MSG_NEWSETELEM,
							 NLM_F_CREATE | NLM_F_ACK, version, NULL));
		if (r < 0) {
			nft_elements_delete(listed);
			return error_errno(error, -r,
					   "cannot open the step's way to what its "
					   "project allows");
		}
	}
	return 0;
}

void nft_elements_delete(const struct nft_listed *listed)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		if (!has_version(listed, version) ||
		    transaction(elements_message(listed, NFT_MSG_DELSETELEM, NLM_F_ACK, version,
						 NULL)) == 0)
			continue;
		/* one missing element fails the whole transaction: delete each by itself */
		for (size_t i = 0; i < listed->n_rules; i++) {
			if (listed->rules[i].version == version)
				(void)transaction(elements_message(listed, NFT_MSG_DELSETELEM,
								   NLM_F_ACK, version,
								   &listed->rules[i]));
		}
	}
}

/* ---- notifications ---- */

int nft_watch_open(void)
{
	cleanup_close int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static bool tells_of_removal(const char *data, ssize_t size)
{
	int left = (int)size;

	for (const struct nlmsghdr *at = (const struct nlmsghdr *)(const void *)data;
	     nlmsg_ok(at, left); at = nlmsg_next((struct nlmsghdr *)at, &left)) {
		if (at->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE))
			return true;
	}
	return false;
}

bool nft_watch_read(int fd)
{
	_Alignas(8) char news[ANSWER_BYTES];
	bool removed = false;

	for (;;) {
		ssize_t size = recv(fd, news, sizeof(news), MSG_TRUNC);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno != ENOBUFS)
			return removed;
		/* messages were lost or truncated: one of them may have been ours */
		if (size < 0 || size > (ssize_t)sizeof(news))
			removed = true;
		else
			removed = removed || tells_of_removal(news, size);
	}
}
