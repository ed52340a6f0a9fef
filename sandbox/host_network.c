/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network.h"

#include "common/cleanup.h"
#include "sandbox/host_links.h"
#include "sandbox/host_nft.h"
#include "sandbox/spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * DOC: Several programs, one table
 *
 * A daemon, a second one beside it and any number of runbook-sandbox share the
 * table, the subnet and the addresses of a network namespace of the host. What
 * they do is ordered by byte-range locks (released by the kernel when a program
 * dies) on one file per network namespace:
 *
 *   SETUP   exclusive, short: somebody sets up or takes down
 *   USE     shared, long: somebody relies on the table
 *   ADDRESS + n  exclusive: address n is in use
 *
 * The file's contents are what must be undone: the subnet, and the interfaces
 * whose forwarding was switched on.
 */
#define LOCK_SETUP 0
#define LOCK_USE 1
#define LOCK_ADDRESS 16

#define ADDRESS_FIRST 16U
#define ADDRESS_LAST 65000U
#define ADDRESS_ATTEMPTS 2000
#define DNS_MAX 8
#define UPLINKS_MAX 16

struct host_network {
	int record_fd; /* -1 until set up */
	char record_path[64];
	bool ready;
	bool forwards; /* the host forwards by itself: nothing to switch on */
	uint32_t subnet;
	char dns[DNS_MAX][64];
	size_t n_dns;
	bool dns_known, dns_given;
	struct timespec dns_time; /* of the newest file they came from */
	char resolv[1024];
	char uplinks[UPLINKS_MAX][64];
	size_t n_uplinks;
	uint64_t used[65536 / 64]; /* OFD locks do not exclude ourselves */
	uint32_t next;
};

/* ---- locks and the record ---- */

static int lock_byte(int fd, off_t byte, short type, bool wait)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* One file per network namespace; only root may make it, whoever may write the directory. */
static int record_open(struct host_network *network, bool create)
{
	/* first the one that root alone may write: a file of somebody else cannot divert us */
	static const char *const directories[] = {"/run", "/run/lock", "/tmp"};
	char *path = network->record_path;
	struct stat namespace, st;

	if (stat("/proc/self/ns/net", &namespace) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		int fd;

		(void)snprintf(path, sizeof(network->record_path), "%s/runbook-net.%lu",
			       directories[i], (unsigned long)namespace.st_ino);
		fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && create)
			fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
			return fd;
		if (fd >= 0)
			(void)close(fd);
	}
	return -ENOENT;
}

static int record_write(const struct host_network *network)
{
	char text[UPLINKS_MAX * 80 + 64];
	size_t used;

	used = (size_t)snprintf(text, sizeof(text), "subnet %u\n", network->subnet);
	for (size_t i = 0; i < network->n_uplinks; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "uplink %.63s\n",
					 network->uplinks[i]);
	if (ftruncate(network->record_fd, 0) < 0 ||
	    pwrite(network->record_fd, text, used, 0) != (ssize_t)used)
		return -errno;
	return 0;
}

static void record_read(struct host_network *network)
{
	char text[UPLINKS_MAX * 80 + 64];
	ssize_t size = pread(network->record_fd, text, sizeof(text) - 1, 0);

	text[size < 0 ? 0 : size] = '\0';
	network->n_uplinks = 0;
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "subnet %u", &network->subnet) == 1)
			continue;
		if (network->n_uplinks < UPLINKS_MAX &&
		    sscanf(line, "uplink %63s", network->uplinks[network->n_uplinks]) == 1)
			network->n_uplinks++;
	}
}

/*
 * Open the record and hold its SETUP lock. Who takes everything down removes the
 * file, so a file that lost its name while we waited is not the one to use.
 */
static int record_lock(struct host_network *network, bool create)
{
	struct stat st;

	for (;;) {
		int fd = record_open(network, create);

		if (fd < 0)
			return fd;
		(void)lock_byte(fd, LOCK_SETUP, F_WRLCK, true);
		if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
			network->record_fd = fd;
			return 0;
		}
		(void)close(fd);
	}
}

static void record_close(struct host_network *network)
{
	(void)close(network->record_fd);
	network->record_fd = -1;
}

/* ---- resolvers ---- */

/* systemd-resolved's real ones first: /etc/resolv.conf then names its loopback address */
static const char *const dns_files[] = {"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"};

/* Reachable from a step: not the host's loopback, where systemd-resolved listens. */
static void dns_add(struct host_network *network, const char *text)
{
	struct in_addr address;

	if (network->n_dns == DNS_MAX || inet_pton(AF_INET, text, &address) != 1 ||
	    (ntohl(address.s_addr) >> 24) == 127 || address.s_addr == 0)
		return;
	for (size_t i = 0; i < network->n_dns; i++) {
		if (strcmp(network->dns[i], text) == 0)
			return;
	}
	(void)snprintf(network->dns[network->n_dns++], sizeof(network->dns[0]), "%s", text);
}

static void dns_read(struct host_network *network, const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char line[512], address[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %63s", address) == 1)
			dns_add(network, address);
	}
}

/* The host's resolvers change while a daemon runs (DHCP): look again when their files did. */
static bool dns_changed(struct host_network *network)
{
	struct timespec newest = {0};
	struct stat st;

	if (network->dns_given)
		return !network->dns_known;
	for (size_t i = 0; i < ARRAY_SIZE(dns_files); i++) {
		if (stat(dns_files[i], &st) == 0 &&
		    (st.st_mtim.tv_sec > newest.tv_sec ||
		     (st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec > newest.tv_nsec)))
			newest = st.st_mtim;
	}
	if (network->dns_known && newest.tv_sec == network->dns_time.tv_sec &&
	    newest.tv_nsec == network->dns_time.tv_nsec)
		return false;
	network->dns_time = newest;
	return true;
}

static int table_add_dns(struct host_network *network, struct error *error);

const char *host_network_resolv(struct host_network *network, struct error *error)
{
	size_t used = 0;

	if (!dns_changed(network))
		return network->resolv;
	if (!network->dns_given)
		network->n_dns = 0;
	for (size_t i = 0; i < ARRAY_SIZE(dns_files) && network->n_dns == 0; i++)
		dns_read(network, dns_files[i]);
	network->dns_known = true;
	if (network->n_dns == 0)
		(void)snprintf(network->resolv, sizeof(network->resolv),
			       "# the host has no resolver that can be reached from here\n");
	for (size_t i = 0; i < network->n_dns; i++)
		used += (size_t)snprintf(network->resolv + used, sizeof(network->resolv) - used,
					 "nameserver %s\n", network->dns[i]);
	/* a table that is gone comes back with them: setup_again() */
	if (network->ready && nft_table_present() && table_add_dns(network, error) < 0)
		return NULL;
	return network->resolv;
}

/* ---- forwarding ---- */

static int sysctl_read(const char *interface, char *ret_value)
{
	char path[128];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", interface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, ret_value, 1) != 1 ? -EIO : 0;
}

static int forwarding_set(const char *interface, const char *value)
{
	char path[128];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", interface);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, value, 1) != 1 ? -errno : 0;
}

/* Interfaces with a default route: answers come back through them. */
static void uplinks_find(struct host_network *network)
{
	cleanup_fclose FILE *routes = fopen("/proc/net/route", "re");
	char line[256], name[64], value;
	unsigned destination, mask;

	network->n_uplinks = 0;
	while (routes && fgets(line, sizeof(line), routes)) {
		bool known = false;

		if (sscanf(line, "%63s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) !=
			    3 ||
		    destination != 0 || mask != 0)
			continue;
		for (size_t i = 0; i < network->n_uplinks; i++)
			known = known || strcmp(network->uplinks[i], name) == 0;
		if (known || network->n_uplinks == UPLINKS_MAX || sysctl_read(name, &value) < 0 ||
		    value != '0')
			continue;
		(void)snprintf(network->uplinks[network->n_uplinks++], sizeof(network->uplinks[0]),
			       "%s", name);
	}
}

/* ---- the subnet ---- */

static bool subnet_used(uint32_t subnet)
{
	struct ifaddrs *list = NULL;
	bool used = false;
	cleanup_fclose FILE *routes = fopen("/proc/net/route", "re");
	char line[256];
	unsigned destination, mask;

	if (getifaddrs(&list) == 0) {
		for (struct ifaddrs *one = list; one; one = one->ifa_next) {
			struct sockaddr_in *address = (struct sockaddr_in *)(void *)one->ifa_addr;

			if (address && address->sin_family == AF_INET &&
			    (ntohl(address->sin_addr.s_addr) & 0xffff0000U) == subnet)
				used = true;
		}
		freeifaddrs(list);
	}
	while (routes && fgets(line, sizeof(line), routes)) {
		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &destination, &mask) == 2 &&
		    mask != 0 &&
		    (subnet & ntohl(mask) & 0xffff0000U) == (ntohl(destination) & 0xffff0000U))
			used = true;
	}
	return used;
}

static int subnet_choose(struct host_network *network, struct error *error)
{
	/* seldom used by others: 10.213, 10.187, 172.29, 10.92, 192.168 (whole) */
	static const uint32_t candidates[] = {0x0ad50000U, 0x0abb0000U, 0xac1d0000U, 0x0a5c0000U,
					      0xc0a80000U};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!subnet_used(candidates[i])) {
			network->subnet = candidates[i];
			return 0;
		}
	}
	return error_set(
		error, EADDRINUSE,
		"no free address range for steps: 10.213.0.0/16 and four others are in use");
}

/* ---- setting up and taking down ---- */

static struct nft_facts nft_facts_of(struct host_network *network)
{
	return (struct nft_facts){.subnet = network->subnet,
				  .dns = (const char(*)[64])network->dns,
				  .n_dns = network->n_dns,
				  .uplinks = (const char(*)[64])network->uplinks,
				  .n_uplinks = network->n_uplinks};
}

static void forwarding_off(struct host_network *network)
{
	for (size_t i = 0; i < network->n_uplinks; i++)
		(void)forwarding_set(network->uplinks[i], "0");
	network->n_uplinks = 0;
}

static void undo(struct host_network *network)
{
	forwarding_off(network);
	(void)nft_run("table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n", NULL);
	if (ftruncate(network->record_fd, 0) < 0)
		return; /* undone twice does no harm */
}

/* Replaces a table that is there at once: no step is without a filter meanwhile. */
static int table_load(struct host_network *network, struct error *error)
{
	struct nft_facts facts = nft_facts_of(network);
	cleanup_free char *text = nft_table_text(&facts);

	return text ? nft_run(text, error) : error_errno(error, ENOMEM, "cannot write the table");
}

/*
 * What a killed program left switched on is kept on the record until it is
 * switched off. Its table is replaced, not removed: a step of it may still die.
 */
static int setup_first(struct host_network *network, struct error *error)
{
	int r;

	record_read(network);
	if (network->subnet != 0)
		forwarding_off(network);
	r = subnet_choose(network, error);
	if (r < 0)
		return r;
	uplinks_find(network);
	r = record_write(network);
	if (r < 0)
		return error_errno(error, -r, "cannot write down how to undo network \"egress\"");
	/* first the filter, then the forwarding that it guards */
	r = table_load(network, error);
	for (size_t i = 0; r == 0 && i < network->n_uplinks; i++) {
		r = forwarding_set(network->uplinks[i], "1");
		if (r < 0)
			(void)error_errno(error, -r, "cannot switch forwarding on for %s",
					  network->uplinks[i]);
	}
	if (r < 0)
		undo(network);
	return r;
}

static int table_add_dns(struct host_network *network, struct error *error)
{
	cleanup_free char *text = NULL;
	struct nft_facts facts = nft_facts_of(network);

	if (facts.n_dns == 0)
		return 0;
	text = nft_dns_text(&facts);
	if (!text)
		return error_errno(error, ENOMEM, "cannot write the table");
	return nft_run(text, error);
}

static int setup_next(struct host_network *network, struct error *error)
{
	record_read(network);
	return nft_table_present() ? table_add_dns(network, error) : table_load(network, error);
}

/* Whoever loads a firewall anew (nft flush ruleset) takes our table along. */
static int setup_again(struct host_network *network, struct error *error)
{
	int r = 0;

	if (nft_table_present())
		return 0;
	(void)lock_byte(network->record_fd, LOCK_SETUP, F_WRLCK, true);
	record_read(network);
	if (!nft_table_present())
		r = table_load(network, error);
	(void)lock_byte(network->record_fd, LOCK_SETUP, F_UNLCK, false);
	return r;
}

static int setup(struct host_network *network, struct error *error)
{
	char value = '0';
	int r;

	if (network->ready)
		return setup_again(network, error);
	if (!host_network_resolv(network, error))
		return -EIO;
	r = record_lock(network, true);
	if (r < 0)
		return error_errno(error, -r, "cannot open %s", network->record_path);
	(void)sysctl_read("all", &value);
	network->forwards = value == '1';
	if (lock_byte(network->record_fd, LOCK_USE, F_WRLCK, false) == 0)
		r = setup_first(network, error);
	else
		r = setup_next(network, error);
	if (r == 0)
		r = lock_byte(network->record_fd, LOCK_USE, F_RDLCK, true);
	(void)lock_byte(network->record_fd, LOCK_SETUP, F_UNLCK, false);
	if (r < 0) {
		record_close(network);
		return r;
	}
	network->ready = true;
	return 0;
}

int host_network_new(struct host_network **ret_network, const char *const *dns_servers,
		     struct error *error)
{
	struct host_network *network = calloc(1, sizeof(*network));

	if (!network)
		return error_errno(error, ENOMEM, "cannot keep a network");
	network->record_fd = -1;
	network->dns_given = dns_servers && *dns_servers;
	for (; dns_servers && *dns_servers; dns_servers++) {
		struct in_addr address;

		if (inet_pton(AF_INET, *dns_servers, &address) != 1) {
			free(network);
			return error_set(error, EINVAL, "DNS server \"%s\": not an IPv4 address",
					 *dns_servers);
		}
		dns_add(network, *dns_servers);
	}
	/* a start that differs, so that a link that is still dying is seldom in the way */
	if (getrandom(&network->next, sizeof(network->next), 0) < 0)
		network->next = (uint32_t)getpid() * 977;
	*ret_network = network;
	return 0;
}

/* With the SETUP lock held: whoever is the last to go cleans up. */
static void take_down(struct host_network *network)
{
	if (lock_byte(network->record_fd, LOCK_USE, F_WRLCK, false) == 0) {
		record_read(network);
		if (network->subnet != 0)
			undo(network);
		(void)unlink(network->record_path);
	}
	record_close(network);
	network->ready = false;
}

struct host_network *host_network_free(struct host_network *network)
{
	if (!network)
		return NULL;
	if (network->ready) {
		(void)lock_byte(network->record_fd, LOCK_SETUP, F_WRLCK, true);
		take_down(network);
	}
	free(network);
	return NULL;
}

int host_network_sweep(struct host_network *network, struct error *error)
{
	int r;

	if (network->ready)
		return 0;
	r = record_lock(network, false);
	if (r == -ENOENT)
		return 0; /* nobody ever set anything up */
	if (r < 0)
		return error_errno(error, -r, "cannot open %s", network->record_path);
	take_down(network);
	return 0;
}

/* ---- one step ---- */

static int address_take(struct host_network *network, unsigned *ret_index)
{
	unsigned span = ADDRESS_LAST - ADDRESS_FIRST;

	for (unsigned attempt = 0; attempt < span; attempt++) {
		unsigned index = ADDRESS_FIRST + network->next++ % span;

		if (network->used[index / 64] & (1ULL << (index % 64)))
			continue;
		if (lock_byte(network->record_fd, LOCK_ADDRESS + (off_t)index, F_WRLCK, false) < 0)
			continue;
		network->used[index / 64] |= 1ULL << (index % 64);
		*ret_index = index;
		return 0;
	}
	return -EADDRINUSE;
}

static void address_release(struct host_network *network, unsigned index)
{
	network->used[index / 64] &= ~(1ULL << (index % 64));
	(void)lock_byte(network->record_fd, LOCK_ADDRESS + (off_t)index, F_UNLCK, false);
}

static int link_attempt(struct host_network *network, struct host_network_step *step,
			struct error *error)
{
	struct step_link link = {.gateway = network->subnet + 1};
	int netlink_fd, r;

	r = address_take(network, &step->index);
	if (r < 0)
		return error_errno(error, -r, "no free address for a step");
	link.address = network->subnet + step->index;
	(void)snprintf(link.name, sizeof(link.name), NFT_LINK_PREFIX "%04x", step->index);
	step->netns_fd = spawn_netns(&netlink_fd, error);
	r = step->netns_fd;
	if (r >= 0)
		r = host_link_make(&link, step->netns_fd, netlink_fd, error);
	if (r == 0 && !network->forwards) {
		r = forwarding_set(link.name, "1");
		if (r < 0)
			(void)error_errno(error, -r, "cannot switch forwarding on for %s",
					  link.name);
	}
	if (r < 0)
		host_network_step_free(network, step);
	return r;
}

int host_network_step_new(struct host_network *network, struct host_network_step *step,
			  struct error *error)
{
	int r = setup(network, error);

	step->netns_fd = -1;
	step->index = 0;
	for (int attempt = 0; r == 0 && attempt < ADDRESS_ATTEMPTS; attempt++) {
		r = link_attempt(network, step, error);
		if (r == 0)
			return 0;
		if (r != -EEXIST)
			return r;
		r = 0; /* the name of a link that is still being removed: take the next */
	}
	return r < 0 ? r : error_set(error, EADDRINUSE, "no free name for a step's link");
}

void host_network_step_free(struct host_network *network, struct host_network_step *step)
{
	if (step->netns_fd >= 0)
		(void)close(step->netns_fd);
	step->netns_fd = -1;
	if (step->index != 0)
		address_release(network, step->index);
	step->index = 0;
}
