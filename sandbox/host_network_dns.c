/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network_dns.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* upstream servers of systemd-resolved first: /etc/resolv.conf then names its loopback address */
static const char *const files[] = {"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"};

static void add(char (*list)[64], size_t *n, const char *text)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(list[i], text) == 0)
			return;
	}
	if (*n < NETWORK_DNS_MAX)
		(void)snprintf(list[(*n)++], sizeof(list[0]), "%s", text);
}

/*
 * Adds a server that a step can reach: not the host's loopback, where systemd-resolved listens,
 * and not a link-local address, which depends on the link.
 *
 * Return: false if @text is not an address at all.
 */
static bool server_add(struct network_dns *dns, const char *text)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, text, &four) == 1) {
		if ((ntohl(four.s_addr) >> 24) != 127 && four.s_addr != 0)
			add(dns->servers4, &dns->n_servers4, text);
		return true;
	}
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	if (!IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
	    !IN6_IS_ADDR_LINKLOCAL(&six) && !IN6_IS_ADDR_MULTICAST(&six) &&
	    !IN6_IS_ADDR_V4MAPPED(&six))
		add(dns->servers6, &dns->n_servers6, text);
	return true;
}

int network_dns_configure(struct network_dns *dns, const char *const *servers, struct error *error)
{
	dns->given = servers && *servers;
	for (; servers && *servers; servers++) {
		if (!server_add(dns, *servers))
			return error_set(error, EINVAL, "DNS server \"%s\": not an IP address",
					 *servers);
	}
	return 0;
}

static void read_file(struct network_dns *dns, const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char line[512], address[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %63s", address) == 1)
			(void)server_add(dns, address);
	}
}

/* The host's resolvers change while a daemon runs (DHCP): compare the times of their files. */
static bool changed(struct network_dns *dns)
{
	struct timespec newest = {0};
	struct stat st;

	if (dns->given)
		return !dns->known;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (stat(files[i], &st) == 0 &&
		    (st.st_mtim.tv_sec > newest.tv_sec ||
		     (st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec > newest.tv_nsec)))
			newest = st.st_mtim;
	}
	if (dns->known && newest.tv_sec == dns->time.tv_sec && newest.tv_nsec == dns->time.tv_nsec)
		return false;
	dns->time = newest;
	return true;
}

static size_t write_servers(struct network_dns *dns, size_t used, char (*list)[64], size_t n)
{
	for (size_t i = 0; i < n && used < sizeof(dns->resolv); i++)
		used += (size_t)snprintf(dns->resolv + used, sizeof(dns->resolv) - used,
					 "nameserver %s\n", list[i]);
	return used;
}

bool network_dns_refresh(struct network_dns *dns, bool ipv6)
{
	size_t used = 0;

	if (!changed(dns))
		return false;
	if (!dns->given)
		dns->n_servers4 = dns->n_servers6 = 0;
	for (size_t i = 0; i < ARRAY_SIZE(files) && !dns->given; i++) {
		if (dns->n_servers4 + dns->n_servers6 == 0)
			read_file(dns, files[i]);
	}
	dns->known = true;
	used = write_servers(dns, used, dns->servers4, dns->n_servers4);
	if (ipv6)
		used = write_servers(dns, used, dns->servers6, dns->n_servers6);
	if (used == 0)
		(void)snprintf(dns->resolv, sizeof(dns->resolv),
			       "# the host has no resolver that can be reached from here\n");
	return true;
}
