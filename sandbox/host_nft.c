/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_nft.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Priorities are just before the ordinary filter hooks, so that what is dropped
 * here is dropped whatever others accept, and the host's own rules still see
 * (and may drop) the rest. Reject where a build would otherwise wait for a
 * timeout; drop what is an attack.
 */
static const char table_head[] =
	"table inet " NFT_TABLE "\n"
	"delete table inet " NFT_TABLE "\n"
	"table inet " NFT_TABLE " {\n"
	/* private, shared, link-local (metadata services), test, multicast, reserved */
	"	set blocked4 {\n"
	"		type ipv4_addr; flags interval\n"
	"		elements = { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8,\n"
	"			169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24,\n"
	"			192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, 198.51.100.0/24,\n"
	"			203.0.113.0/24, 224.0.0.0/3,\n"
	/* Azure's host agent, which hands out the machine's own configuration */
	"			168.63.129.16 }\n"
	"	}\n"
	/* the table of connections is the whole host's: one step must not fill it */
	"	set connections {\n"
	"		type ipv4_addr; size 65536; flags dynamic\n"
	"	}\n";

static const char table_chains[] =
	"	chain source {\n"
	"		type filter hook prerouting priority -310; policy accept;\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" meta nfproto ipv6 drop\n"
	/* the only route back over this link is the one to the step's own address */
	"		iifname \"" NFT_LINK_PREFIX "*\" fib saddr . iif oif missing drop\n"
	"	}\n"
	"	chain host {\n"
	"		type filter hook input priority -10; policy accept;\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" ip daddr @dns4 udp dport 53 accept\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" ip daddr @dns4 tcp dport 53 accept\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" reject with icmpx type admin-prohibited\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority -10; policy accept;\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" oifname \"" NFT_LINK_PREFIX "*\" drop\n"
	"		oifname \"" NFT_LINK_PREFIX "*\" ct state established,related accept\n"
	"		oifname \"" NFT_LINK_PREFIX "*\" drop\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" ct state new add @connections { ip saddr "
	"ct count over 8192 } reject with icmpx type admin-prohibited\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" ip daddr @dns4 udp dport 53 accept\n"
	"		iifname \"" NFT_LINK_PREFIX "*\" ip daddr @dns4 tcp dport 53 accept\n"
	"		iifname \"" NFT_LINK_PREFIX
	"*\" ip daddr @blocked4 reject with icmpx type admin-prohibited\n"
	/* the host was no router before us, and is none now but for steps */
	"		iifname @uplinks drop\n"
	"	}\n";

/* @quote: names of interfaces, which may be words of nft's own */
static void put_elements(FILE *out, const char (*texts)[64], size_t n, const char *quote)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s%s%s", i ? ", " : "", quote, texts[i], quote);
}

char *nft_table_text(const struct nft_facts *facts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(table_head, out);
	fputs("	set dns4 {\n		type ipv4_addr\n", out);
	if (facts->n_dns) {
		fputs("		elements = { ", out);
		put_elements(out, facts->dns, facts->n_dns, "");
		fputs(" }\n", out);
	}
	fputs("	}\n	set uplinks {\n		type ifname\n", out);
	if (facts->n_uplinks) {
		fputs("		elements = { ", out);
		put_elements(out, facts->uplinks, facts->n_uplinks, "\"");
		fputs(" }\n", out);
	}
	fputs("	}\n", out);
	fputs(table_chains, out);
	fprintf(out,
		"	chain nat {\n"
		"		type nat hook postrouting priority 100; policy accept;\n"
		"		ip saddr %u.%u.0.0/16 oifname != \"" NFT_LINK_PREFIX
		"*\" masquerade\n"
		"	}\n}\n",
		facts->subnet >> 24, (facts->subnet >> 16) & 255);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *nft_dns_text(const struct nft_facts *facts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("add element inet " NFT_TABLE " dns4 { ", out);
	put_elements(out, facts->dns, facts->n_dns, "");
	fputs(" }\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

bool nft_table_present(void)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
		struct nlattr attribute;
		_Alignas(4) char name[sizeof(NFT_TABLE)];
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
			   .nlmsg_flags = NLM_F_REQUEST},
		.family = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0},
		.attribute = {.nla_len = NLA_HDRLEN + sizeof(NFT_TABLE),
			      .nla_type = NFTA_TABLE_NAME},
		.name = NFT_TABLE,
	};
	_Alignas(4) char answer[4096];
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer;
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(*header))
		return false;
	return header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
}

static int spawn_nft(int in_fd, int out_fd, pid_t *ret_pid)
{
	static const char *const places[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
					     "/usr/local/sbin/nft"};
	char *argv[] = {(char[]){"nft"}, (char[]){"-f"}, (char[]){"-"}, NULL};
	char *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	(void)posix_spawn_file_actions_adddup2(&actions, in_fd, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	(void)posix_spawn_file_actions_adddup2(&actions, out_fd, 2);
	r = ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(places) && r == ENOENT; i++)
		r = posix_spawn(ret_pid, places[i], &actions, NULL, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int nft_run(const char *text, struct error *error)
{
	cleanup_close int in_fd = memfd_create("nft", MFD_CLOEXEC);
	cleanup_close int out_fd = memfd_create("nft-output", MFD_CLOEXEC);
	char words[300] = "";
	int state = 0, r;
	pid_t pid = -1;

	if (in_fd < 0 || out_fd < 0)
		return error_errno(error, errno, "cannot prepare to run nft");
	r = fd_write_all(in_fd, text, strlen(text));
	if (r < 0 || lseek(in_fd, 0, SEEK_SET) < 0)
		return error_errno(error, r < 0 ? -r : errno, "cannot prepare to run nft");
	r = spawn_nft(in_fd, out_fd, &pid);
	if (r < 0)
		return error_errno(
			error, -r,
			"cannot run nft (network \"egress\" needs the package nftables)");
	while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
		return 0;
	if (pread(out_fd, words, sizeof(words) - 1, 0) < 0)
		words[0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	return error_set(error, EIO, "nft refused the table " NFT_TABLE ": %s", words);
}
