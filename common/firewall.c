/* SPDX-License-Identifier: Apache-2.0 */
#include "common/firewall.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_TABLE "runbookd"
#define OWN_LINKS "rbk"
#define ANSWER_BYTES 65536

struct look {
	struct firewall found;
	bool docker, firewalld, thought_of;
};

typedef void (*look_fn)(struct look *look, const struct nlmsghdr *header);

/* ---- attributes ---- */

/* The payload of attribute @type within @size bytes, NULL if it is absent. */
static const void *attribute(const void *data, size_t size, unsigned type, size_t *ret_size)
{
	const char *at = data;

	while (size >= NLA_HDRLEN) {
		const struct nlattr *one = (const struct nlattr *)(const void *)at;
		size_t step = NLA_ALIGN((size_t)one->nla_len);

		if (one->nla_len < NLA_HDRLEN || one->nla_len > size)
			return NULL;
		if ((one->nla_type & NLA_TYPE_MASK) == type) {
			*ret_size = one->nla_len - NLA_HDRLEN;
			return at + NLA_HDRLEN;
		}
		at += step;
		size = step > size ? 0 : size - step;
	}
	return NULL;
}

static const char *text_attribute(const void *data, size_t size, unsigned type)
{
	size_t length = 0;
	const char *text = attribute(data, size, type, &length);

	return text && length > 0 && text[length - 1] == '\0' ? text : "";
}

/* A number in netfilter's byte order, @otherwise if it is absent. */
static uint32_t number_attribute(const void *data, size_t size, unsigned type, uint32_t otherwise)
{
	size_t length = 0;
	const void *number = attribute(data, size, type, &length);
	uint32_t value;

	if (!number || length != sizeof(value))
		return otherwise;
	memcpy(&value, number, sizeof(value));
	return ntohl(value);
}

static const void *payload(const struct nlmsghdr *header, size_t *ret_size)
{
	size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

	*ret_size = header->nlmsg_len > head ? header->nlmsg_len - head : 0;
	return (const char *)header + head;
}

/* ---- chains and rules ---- */

static const char *family_name(unsigned family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

/* Remembers the first chain at the forward hook whose policy is drop. */
static void look_at_chain(struct look *look, const struct nlmsghdr *header)
{
	const struct nfgenmsg *head = NLMSG_DATA(header);
	size_t size, hook_size = 0;
	const void *data = payload(header, &size);
	const char *table = text_attribute(data, size, NFTA_CHAIN_TABLE);
	const char *chain = text_attribute(data, size, NFTA_CHAIN_NAME);
	const void *hook = attribute(data, size, NFTA_CHAIN_HOOK, &hook_size);
	unsigned family = head->nfgen_family;

	if (strcmp(table, OWN_TABLE) == 0)
		return;
	look->docker = look->docker || strcmp(chain, "DOCKER-USER") == 0;
	look->firewalld = look->firewalld || strcmp(table, "firewalld") == 0;
	if (look->found.kind != FIREWALL_NONE || !hook ||
	    (family != NFPROTO_IPV4 && family != NFPROTO_IPV6 && family != NFPROTO_INET) ||
	    number_attribute(hook, hook_size, NFTA_HOOK_HOOKNUM, NF_INET_NUMHOOKS) !=
		    NF_INET_FORWARD ||
	    number_attribute(data, size, NFTA_CHAIN_POLICY, NF_ACCEPT) != NF_DROP)
		return;
	/* the name of iptables' own chain */
	look->found.kind = strcmp(table, "filter") == 0 && strcmp(chain, "FORWARD") == 0
				   ? FIREWALL_IPTABLES
				   : FIREWALL_NFTABLES;
	(void)snprintf(look->found.family, sizeof(look->found.family), "%s", family_name(family));
	(void)snprintf(look->found.table, sizeof(look->found.table), "%.63s", table);
	(void)snprintf(look->found.chain, sizeof(look->found.chain), "%.63s", chain);
}

static void look_at_rule(struct look *look, const struct nlmsghdr *header)
{
	size_t size;
	const void *data = payload(header, &size);

	if (strcmp(text_attribute(data, size, NFTA_RULE_TABLE), OWN_TABLE) != 0 &&
	    memmem(data, size, OWN_LINKS, strlen(OWN_LINKS)))
		look->thought_of = true;
}

/* Requests all objects of a type and calls @look_at for each. */
static int dump(int fd, int type, look_fn look_at, struct look *look)
{
	static _Alignas(8) char answer[ANSWER_BYTES];
	struct {
		struct nlmsghdr header;
		struct nfgenmsg head;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.head = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
	};

	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	for (;;) {
		ssize_t received = recv(fd, answer, sizeof(answer), 0);
		unsigned left = received < 0 ? 0 : (unsigned)received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received <= 0)
			return received < 0 ? -errno : -EIO;
		for (const struct nlmsghdr *at = (const struct nlmsghdr *)(const void *)answer;
		     NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
			if (at->nlmsg_type == NLMSG_DONE)
				return 0;
			if (at->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(at))->error;
			look_at(look, at);
		}
	}
}

int firewall_probe(struct firewall *ret_firewall)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct look look = {.docker = false};
	int r;

	memset(ret_firewall, 0, sizeof(*ret_firewall));
	if (fd < 0)
		return -errno;
	r = dump(fd, NFT_MSG_GETCHAIN, look_at_chain, &look);
	if (r < 0)
		return r;
	if (look.found.kind == FIREWALL_IPTABLES && look.docker)
		look.found.kind = FIREWALL_DOCKER;
	if (look.found.kind == FIREWALL_NONE && look.firewalld)
		look.found.kind = FIREWALL_FIREWALLD;
	if (look.found.kind == FIREWALL_NONE)
		return 0;
	r = dump(fd, NFT_MSG_GETRULE, look_at_rule, &look);
	if (r == 0 && !look.thought_of)
		*ret_firewall = look.found;
	return r;
}

/* ---- sentences ---- */

void firewall_describe(const struct firewall *firewall, char *text, size_t size)
{
	if (firewall->kind == FIREWALL_NONE)
		(void)snprintf(text, size, "no firewall is in the way of network \"egress\"");
	else if (firewall->kind == FIREWALL_FIREWALLD)
		(void)snprintf(text, size,
			       "firewalld rejects what steps with network \"egress\" send");
	else
		(void)snprintf(text, size,
			       "the chain \"%s %s %s\"%s drops what steps with network \"egress\" "
			       "send",
			       firewall->family, firewall->table, firewall->chain,
			       firewall->kind == FIREWALL_DOCKER ? " (Docker's)" : "");
}

void firewall_fix(const struct firewall *firewall, char *text, size_t size)
{
	const char *program = strcmp(firewall->family, "ip6") == 0 ? "ip6tables" : "iptables";
	const char *chain = firewall->kind == FIREWALL_DOCKER ? "DOCKER-USER" : firewall->chain;

	switch (firewall->kind) {
	case FIREWALL_NONE:
		(void)snprintf(text, size, "%s", "");
		break;
	case FIREWALL_FIREWALLD:
		(void)snprintf(text, size,
			       "firewall-cmd --permanent --zone=trusted --add-interface=" OWN_LINKS
			       "+ && firewall-cmd --reload");
		break;
	case FIREWALL_IPTABLES:
	case FIREWALL_DOCKER:
		(void)snprintf(text, size,
			       "%s -I %s -i " OWN_LINKS "+ -j ACCEPT && %s -I %s -o " OWN_LINKS
			       "+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
			       program, chain, program, chain);
		break;
	case FIREWALL_NFTABLES:
		(void)snprintf(text, size,
			       "nft insert rule %s %s %s iifname '\"" OWN_LINKS
			       "*\"' accept && nft insert rule %s %s %s oifname '\"" OWN_LINKS
			       "*\"' ct state established,related accept",
			       firewall->family, firewall->table, firewall->chain, firewall->family,
			       firewall->table, firewall->chain);
		break;
	}
}
