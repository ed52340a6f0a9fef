/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_nft.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/process_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP "iifname \"" NFT_LINK_PREFIX "*\" "
#define TO_STEP "oifname \"" NFT_LINK_PREFIX "*\" "
#define REJECT "reject with icmpx type admin-prohibited\n"
#define WHERE4 "ip saddr . ip daddr . meta l4proto . th dport "
#define WHERE6 "ip6 saddr . ip6 daddr . meta l4proto . th dport "

/* private, shared, link-local (metadata services), test, multicast, reserved */
static const char *const blocked4[] = {
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/3",
	/* Azure's host agent, which serves the machine's own configuration */
	"168.63.129.16/32",
};

/*
 * All ranges except global unicast (2000::/3); and the parts of that which lead back into IPv4
 * or nowhere: Teredo, benchmarks, ORCHID, documentation, 6to4. The NAT64 prefix is the only
 * exception below 2000::; put_blocked6() adds the blocked IPv4 ranges within it.
 */
static const char *const blocked6[] = {
	"::-64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff",
	"64:ff9b::1:0:0-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"2001::/32",
	"2001:2::/48",
	"2001:10::/28",
	"2001:20::/28",
	"2001:db8::/32",
	"2002::/16",
	"3fff::/20",
	"4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/*
 * Priorities are just before the ordinary filter hooks: a packet dropped here is dropped even
 * if other rules accept it, and the host's own rules still see (and may drop) the rest. Packets
 * are rejected where a build would otherwise wait for a timeout, and dropped where only an
 * attack sends them.
 */
static const char sets[] =
	/* all of the host shares one table of connections: a step must not fill it */
	"	set connections4 {\n		type ipv4_addr; size 65536; flags dynamic\n	}\n"
	"	set connections6 {\n		type ipv6_addr; size 65536; flags dynamic\n	}\n"
	/* step . destination . protocol . port: opened for a step by its project */
	"	set allow4 {\n"
	"		type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags "
	"interval\n	}\n"
	"	set allow6 {\n"
	"		type ipv6_addr . ipv6_addr . inet_proto . inet_service; flags "
	"interval\n	}\n"
	/* the only destinations of steps of the upper half */
	"	set only4 {\n"
	"		type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags "
	"interval\n	}\n"
	"	set only6 {\n"
	"		type ipv6_addr . ipv6_addr . inet_proto . inet_service; flags "
	"interval\n	}\n";

static const char chains_head[] =
	"	chain source {\n"
	"		type filter hook prerouting priority -310; policy accept;\n";
static const char chains_no_ipv6[] = "		" STEP "meta nfproto ipv6 drop\n";
static const char chains_host[] =
	/* the only return route over this link is to the step's own address */
	"		" STEP "fib saddr . iif oif missing drop\n"
	"	}\n"
	"	chain host {\n"
	"		type filter hook input priority -10; policy accept;\n"
	"		" STEP "jump listed\n"
	"		" STEP "ip daddr @dns4 udp dport 53 accept\n"
	"		" STEP "ip daddr @dns4 tcp dport 53 accept\n"
	"		" STEP "ip6 daddr @dns6 udp dport 53 accept\n"
	"		" STEP "ip6 daddr @dns6 tcp dport 53 accept\n"
	"		" STEP WHERE4 "@allow4 accept\n"
	"		" STEP WHERE6 "@allow6 accept\n"
	"		" STEP REJECT "	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority -10; policy accept;\n"
	"		" STEP TO_STEP "drop\n"
	"		" TO_STEP "ct state established,related accept\n"
	"		" TO_STEP "drop\n"
	"		" STEP
	"ct state new add @connections4 { ip saddr ct count over 8192 } " REJECT
	"		" STEP
	"ct state new add @connections6 { ip6 saddr ct count over 8192 } " REJECT
	"		" STEP "jump listed\n"
	"		" STEP "ip daddr @dns4 udp dport 53 accept\n"
	"		" STEP "ip daddr @dns4 tcp dport 53 accept\n"
	"		" STEP "ip6 daddr @dns6 udp dport 53 accept\n"
	"		" STEP "ip6 daddr @dns6 tcp dport 53 accept\n"
	"		" STEP WHERE4 "@allow4 accept\n"
	"		" STEP WHERE6 "@allow6 accept\n"
	"		" STEP "ip daddr @blocked4 " REJECT "		" STEP
	"ip6 daddr @blocked6 " REJECT
	/* a host that did not forward before our set-up forwards only for steps */
	"		meta nfproto ipv4 iifname @uplinks4 drop\n"
	"		meta nfproto ipv6 iifname @uplinks6 drop\n";
static const char chains_everywhere6[] =
	"		iifname != \"" NFT_LINK_PREFIX "*\" meta nfproto ipv6 drop\n";

/* @quote: quotes interface names, which may be keywords of nft */
static void put_elements(FILE *out, const char (*texts)[64], size_t n, const char *quote)
{
	if (n == 0)
		return;
	fputs("		elements = { ", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s%s%s", i ? ", " : "", quote, texts[i], quote);
	fputs(" }\n", out);
}

static void put_set(FILE *out, const char *name, const char *type, const char (*texts)[64],
		    size_t n, const char *quote)
{
	fprintf(out, "	set %s {\n		type %s\n", name, type);
	put_elements(out, texts, n, quote);
	fputs("	}\n", out);
}

/* Writes the sets of blocked ranges; those of IPv4 also as their NAT64 addresses. */
static void put_blocked(FILE *out)
{
	fputs("	set blocked4 {\n		type ipv4_addr; flags interval\n		"
	      "elements = { ",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(blocked4); i++)
		fprintf(out, "%s%s", i ? ", " : "", blocked4[i]);
	fputs(" }\n	}\n"
	      "	set blocked6 {\n		type ipv6_addr; flags interval\n		"
	      "elements = { ",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(blocked6); i++)
		fprintf(out, "%s%s", i ? ", " : "", blocked6[i]);
	for (size_t i = 0; i < ARRAY_SIZE(blocked4); i++) {
		unsigned a = 0, b = 0, c = 0, d = 0, bits = 0;

		/* nft does not accept the mixed notation */
		(void)sscanf(blocked4[i], "%u.%u.%u.%u/%u", &a, &b, &c, &d, &bits);
		fprintf(out, ", 64:ff9b::%x:%x/%u", a << 8 | b, c << 8 | d, 96 + bits);
	}
	fputs(" }\n	}\n", out);
}

static void put_subnet6(FILE *out, const uint8_t *subnet6)
{
	fprintf(out, "%x:%x:%x", subnet6[0] << 8 | subnet6[1], subnet6[2] << 8 | subnet6[3],
		subnet6[4] << 8 | subnet6[5]);
}

/* Writes the rules that contain the subnets of steps: limited steps, and masquerading. */
static void put_own(FILE *out, const struct nft_facts *facts)
{
	unsigned a = facts->subnet >> 24, b = (facts->subnet >> 16) & 255;

	fprintf(out,
		"	chain listed {\n"
		"		ip saddr %u.%u.%u.0/17 " WHERE4 "!= @only4 " REJECT,
		a, b, NFT_INDEX_LISTED >> 8);
	if (facts->subnet6) {
		fputs("		ip6 saddr ", out);
		put_subnet6(out, facts->subnet6);
		fprintf(out, "::%x/113 " WHERE6 "!= @only6 " REJECT, NFT_INDEX_LISTED);
	}
	fprintf(out,
		"	}\n"
		"	chain nat {\n"
		"		type nat hook postrouting priority 100; policy accept;\n"
		"		ip saddr %u.%u.0.0/16 oifname != \"" NFT_LINK_PREFIX
		"*\" masquerade\n",
		a, b);
	if (facts->subnet6) {
		fputs("		ip6 saddr ", out);
		put_subnet6(out, facts->subnet6);
		fputs("::/48 oifname != \"" NFT_LINK_PREFIX "*\" masquerade\n", out);
	}
	fputs("	}\n", out);
}

char *nft_table_text(const struct nft_facts *facts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("table inet " NFT_TABLE "\n"
	      "delete table inet " NFT_TABLE "\n"
	      "table inet " NFT_TABLE " {\n",
	      out);
	put_blocked(out);
	fputs(sets, out);
	put_set(out, "dns4", "ipv4_addr", facts->dns4, facts->n_dns4, "");
	put_set(out, "dns6", "ipv6_addr", facts->dns6, facts->n_dns6, "");
	put_set(out, "uplinks4", "ifname", facts->uplinks4, facts->n_uplinks4, "\"");
	put_set(out, "uplinks6", "ifname", facts->uplinks6, facts->n_uplinks6, "\"");
	/* chains must be defined before jumps to them */
	put_own(out, facts);
	fputs(chains_head, out);
	if (!facts->subnet6)
		fputs(chains_no_ipv6, out);
	fputs(chains_host, out);
	if (facts->everywhere6)
		fputs(chains_everywhere6, out);
	fputs("	}\n}\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void put_dns(FILE *out, const char *set, const char (*texts)[64], size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "add element inet " NFT_TABLE " %s { %s }\n", set, texts[i]);
}

char *nft_dns_text(const struct nft_facts *facts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_dns(out, "dns4", facts->dns4, facts->n_dns4);
	put_dns(out, "dns6", facts->dns6, facts->n_dns6);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * What only the gateway can know: over which link a packet came. All else is decided on the
 * host, which sees the steps' own addresses. Nothing here looks at connections, so the kernel
 * tracks none in this namespace.
 */
static const char gateway_text[] =
	"table inet " NFT_TABLE " {\n"
	"	chain source {\n"
	"		type filter hook prerouting priority -310; policy accept;\n"
	"		" STEP "fib saddr . iif oif missing drop\n"
	"	}\n"
	"	chain gateway {\n"
	"		type filter hook input priority -10; policy drop;\n"
	"		" STEP REJECT "	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority -10; policy drop;\n"
	"		" STEP "oifname \"" NFT_UPLINK_PREFIX "*\" accept\n"
	"		iifname \"" NFT_UPLINK_PREFIX "*\" " TO_STEP "accept\n"
	"	}\n"
	"}\n";

static int spawn_nft(int in_fd, int out_fd, pid_t *ret_pid)
{
	static const char *const places[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
					     "/usr/local/sbin/nft"};
	char *argv[] = {(char[]){"nft"}, (char[]){"-f"}, (char[]){"-"}, NULL};
	char *envp[] = {NULL};
	const struct process_fd fds[] = {{in_fd, 0}, {out_fd, 1}, {out_fd, 2}};
	const struct process_request request = {
		.argv = argv, .envp = envp, .fds = fds, .n_fds = ARRAY_SIZE(fds)};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == -ENOENT; i++)
		r = process_spawn(places[i], &request, ret_pid);
	return r;
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

int nft_gateway_load(int netns_fd, struct error *error)
{
	cleanup_close int own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (own_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0)
		return error_errno(error, errno, "cannot enter the namespace of the gateway");
	r = nft_run(gateway_text, error);
	/* whatever this process did next would be done to the wrong network */
	if (setns(own_fd, CLONE_NEWNET) < 0)
		abort();
	return r;
}
