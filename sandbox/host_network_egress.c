/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network_parts.h"

#include "common/cleanup.h"
#include "sandbox/host_links.h"
#include "sandbox/host_nft.h"
#include "sandbox/host_nft_netlink.h"
#include "sandbox/spawn.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * DOC: Egress
 *
 * The first user of a network namespace chooses the subnets, records how to restore every
 * setting that it will change, loads the table and enables forwarding; the last one undoes all
 * of that. Locks of the record decide who is first and last: SETUP is held during both, USE
 * from set-up to take-down.
 *
 * A step's address has an index, which is locked in the record. Link name, MAC address and both
 * IP addresses are derived from it, so the lock protects all of them. Its link ends on the host
 * or, in a program that starts many steps, in the gateway (host_network_gateway.c).
 */

#define ADDRESS_FIRST 16U
#define ADDRESS_LAST 65000U
#define ADDRESS_ATTEMPTS 2000
#define LINK_INDEX_FIRST 1000 /* in a gateway, beyond its own links */
#define ROUTE_REJECT 0x0200U  /* RTF_REJECT in /proc/net/ipv6_route */

/* ---- subnets ---- */

/* When we are the first instance no step runs: the kernel is still removing such links. */
static bool link_is_ours(const char *name)
{
	return strncmp(name, NFT_LINK_PREFIX, strlen(NFT_LINK_PREFIX)) == 0;
}

static bool subnet_used(uint32_t subnet)
{
	struct ifaddrs *list = NULL;
	bool used = false;
	cleanup_fclose FILE *routes = fopen("/proc/net/route", "re");
	char line[256], name[64];
	unsigned destination, mask;

	if (getifaddrs(&list) == 0) {
		for (struct ifaddrs *one = list; one; one = one->ifa_next) {
			struct sockaddr_in *address = (struct sockaddr_in *)(void *)one->ifa_addr;

			if (address && address->sin_family == AF_INET &&
			    !link_is_ours(one->ifa_name) &&
			    (ntohl(address->sin_addr.s_addr) & 0xffff0000U) == subnet)
				used = true;
		}
		freeifaddrs(list);
	}
	while (routes && fgets(line, sizeof(line), routes)) {
		if (sscanf(line, "%63s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) ==
			    3 &&
		    mask != 0 && !link_is_ours(name) &&
		    (subnet & ntohl(mask) & 0xffff0000U) == (ntohl(destination) & 0xffff0000U))
			used = true;
	}
	return used;
}

static int subnet_choose(struct record_contents *contents, struct error *error)
{
	/* rarely used elsewhere: 10.213, 10.187, 172.29, 10.92, 192.168, each /16 */
	static const uint32_t candidates[] = {0x0ad50000U, 0x0abb0000U, 0xac1d0000U, 0x0a5c0000U,
					      0xc0a80000U};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!subnet_used(candidates[i])) {
			contents->subnet = candidates[i];
			return 0;
		}
	}
	return error_set(
		error, EADDRINUSE,
		"no free address range for steps: 10.213.0.0/16 and four others are in use");
}

/* ---- uplinks: interfaces with a default route; replies arrive through them ---- */

/* Records a setting of an interface. Return: 1 if it must change, 0, -errno. */
static int conf_change(struct record_contents *contents, int family, const char *name,
		       const char *setting, const char *value)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", family, name, setting);
	return record_setting_add(contents, path, value);
}

/* Records the interfaces with an IPv4 default route; those that do not forward become uplinks. */
static void uplinks4_find(struct record_contents *contents)
{
	cleanup_fclose FILE *routes = fopen("/proc/net/route", "re");
	char line[256], name[64];
	unsigned destination, mask;

	while (routes && fgets(line, sizeof(line), routes)) {
		if (sscanf(line, "%63s %x %*x %*x %*d %*d %*d %x", name, &destination, &mask) ==
			    3 &&
		    destination == 0 && mask == 0 &&
		    conf_change(contents, 4, name, "forwarding", "1") > 0)
			record_uplink_add(contents->uplinks4, &contents->n_uplinks4, name);
	}
}

/* Calls @each (NULL: just counts) for every interface with a default route. Return: how many. */
static int uplinks6_each(struct record_contents *contents,
			 int (*each)(struct record_contents *contents, const char *name))
{
	cleanup_fclose FILE *routes = fopen("/proc/net/ipv6_route", "re");
	char line[256], destination[40], name[64];
	unsigned bits, flags;
	int n = 0, r;

	while (routes && fgets(line, sizeof(line), routes)) {
		if (sscanf(line, "%39s %x %*s %*x %*s %*x %*x %*x %x %63s", destination, &bits,
			   &flags, name) != 4 ||
		    bits != 0 || strspn(destination, "0") != 32 || (flags & ROUTE_REJECT) ||
		    strcmp(name, "lo") == 0)
			continue;
		n++;
		r = each ? each(contents, name) : 0;
		if (r < 0)
			return r;
	}
	return n;
}

/* Since Linux 6.17 one interface can forward IPv6 without all others. */
static int uplink6_force(struct record_contents *contents, const char *name)
{
	int r = conf_change(contents, 6, name, "force_forwarding", "1");

	if (r > 0)
		record_uplink_add(contents->uplinks6, &contents->n_uplinks6, name);
	return r;
}

/*
 * Before Linux 6.17 either all interfaces forward IPv6 or none. With forwarding, an interface
 * ignores router advertisements unless its accept_ra is 2, and routes learned from them are
 * dropped. So set accept_ra first, for every interface and for new ones.
 */
static int everywhere6_prepare(struct record_contents *contents)
{
	static const char conf[] = "/proc/sys/net/ipv6/conf";
	DIR *directory = opendir(conf);
	const struct dirent *entry;
	char path[sizeof(conf) + 300], value[8];
	int r = directory ? 0 : -errno;

	while (directory && r >= 0 && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "all") == 0 ||
		    link_is_ours(entry->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/forwarding", conf, entry->d_name);
		/* "all" sets every interface: a differing value could not be restored with it */
		if (setting_read(path, value, sizeof(value)) < 0 || strcmp(value, "0") != 0)
			r = -EBUSY;
		(void)snprintf(path, sizeof(path), "%s/%s/accept_ra", conf, entry->d_name);
		if (r >= 0 && setting_read(path, value, sizeof(value)) == 0 &&
		    strcmp(value, "1") == 0)
			r = record_setting_add(contents, path, "2");
	}
	if (directory)
		(void)closedir(directory);
	return r < 0 ? r : conf_change(contents, 6, "all", "forwarding", "1");
}

/* Only records the changes; settings_apply() makes them. */
static int ipv6_prepare(struct record_contents *contents)
{
	struct record_contents before = *contents;
	char value[8];
	int r;

	if (uplinks6_each(contents, NULL) == 0 ||
	    setting_read("/proc/sys/net/ipv6/conf/all/forwarding", value, sizeof(value)) < 0)
		return 0;
	contents->routes6 = value[0] == '1';
	if (contents->routes6) {
		r = 0;
	} else if (setting_read("/proc/sys/net/ipv6/conf/all/force_forwarding", value,
				sizeof(value)) == 0) {
		r = uplinks6_each(contents, uplink6_force);
	} else {
		contents->everywhere6 = true;
		r = everywhere6_prepare(contents);
	}
	/* steps have no IPv6 on a host that this would harm: runbookctl doctor reports why */
	if (r < 0) {
		*contents = before;
		return 0;
	}
	contents->subnet6[0] = 0xfd;
	return getrandom(contents->subnet6 + 1, 5, 0) == 5 ? 0 : -EIO;
}

/* ---- setting up and taking down ---- */

static struct nft_facts nft_facts_of(const struct host_network *network)
{
	const struct record_contents *contents = &network->record.contents;

	return (struct nft_facts){
		.subnet = contents->subnet,
		.subnet6 = record_has_subnet6(contents) ? contents->subnet6 : NULL,
		.dns4 = (const char(*)[64])network->dns.servers4,
		.n_dns4 = network->dns.n_servers4,
		.dns6 = (const char(*)[64])network->dns.servers6,
		.n_dns6 = network->dns.n_servers6,
		.uplinks4 = (const char(*)[64])contents->uplinks4,
		.n_uplinks4 = contents->n_uplinks4,
		.uplinks6 = (const char(*)[64])contents->uplinks6,
		.n_uplinks6 = contents->n_uplinks6,
		.everywhere6 = contents->everywhere6,
	};
}

/* Restores all settings, deletes the table and empties the record. */
static void undo(struct host_network *network)
{
	record_settings_undo(&network->record.contents);
	(void)nft_run("table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n", NULL);
	if (ftruncate(network->record.fd, 0) < 0)
		return; /* undoing twice does no harm */
}

/* Replaces an existing table in one transaction, so no step is without a filter meanwhile. */
static int table_load(struct host_network *network, struct error *error)
{
	struct nft_facts facts = nft_facts_of(network);
	cleanup_free char *text = nft_table_text(&facts);

	return text ? nft_run(text, error) : error_errno(error, ENOMEM, "cannot write the table");
}

static int settings_apply(const struct record_contents *contents, struct error *error)
{
	for (size_t i = 0; i < contents->n_settings; i++) {
		const char *path = contents->settings[i].path;
		bool receive = strcmp(strrchr(path, '/'), "/accept_ra") == 0;
		int r = setting_write(path, receive ? "2" : "1");

		if (r < 0)
			return error_errno(error, -r, "cannot switch forwarding on: %s", path);
	}
	return 0;
}

/*
 * Sets up as the only user. First restores the settings that a killed program left changed. Its
 * table is replaced, not removed, because one of its steps may still be dying. The record is
 * written before the first change, so that it can always be undone.
 */
static int setup_first(struct host_network *network, struct error *error)
{
	struct record_contents *contents = &network->record.contents;
	char value[8] = "0";
	int r;

	record_read(&network->record);
	record_settings_undo(contents);
	memset(contents, 0, sizeof(*contents));
	r = subnet_choose(contents, error);
	if (r < 0)
		return r;
	(void)setting_read("/proc/sys/net/ipv4/ip_forward", value, sizeof(value));
	contents->routes4 = value[0] == '1';
	uplinks4_find(contents);
	r = ipv6_prepare(contents);
	if (r == 0)
		r = record_write(&network->record);
	if (r < 0)
		return error_errno(error, -r, "cannot write down how to undo network \"egress\"");
	(void)network_dns_refresh(&network->dns, record_has_subnet6(contents));
	/* the filter before the forwarding that it guards */
	r = table_load(network, error);
	if (r == 0)
		r = settings_apply(contents, error);
	if (r < 0)
		undo(network);
	return r;
}

/* Adds new resolvers to the loaded table. Old ones stay, since running steps may use them. */
static int table_add_dns(struct host_network *network, struct error *error)
{
	cleanup_free char *text = NULL;
	struct nft_facts facts = nft_facts_of(network);

	text = nft_dns_text(&facts);
	if (!text)
		return error_errno(error, ENOMEM, "cannot write the table");
	return text[0] ? nft_run(text, error) : 0;
}

/* Sets up as a further user: reads what the first one chose. */
static int setup_next(struct host_network *network, struct error *error)
{
	record_read(&network->record);
	(void)network_dns_refresh(&network->dns, record_has_subnet6(&network->record.contents));
	return nft_table_present() ? table_add_dns(network, error) : table_load(network, error);
}

static int rules_restore(struct host_network *network, struct error *error);

/*
 * A firewall script (nft flush ruleset) removes our table, too. Any program may load it again;
 * each program then adds the lists of its own steps.
 */
int egress_table_restore(struct host_network *network, struct error *error)
{
	bool present;
	int r;

	(void)record_lock(&network->record, RECORD_SETUP, F_WRLCK, true);
	record_read(&network->record);
	present = nft_table_present();
	r = present ? table_add_dns(network, error) : table_load(network, error);
	(void)record_lock(&network->record, RECORD_SETUP, F_UNLCK, false);
	if (r == 0)
		r = rules_restore(network, error);
	return r < 0 ? r : !present;
}

/* Sets up the host. Return: 0 or -errno with @error. */
static int host_setup(struct host_network *network, struct error *error)
{
	struct network_record *record = &network->record;
	int r = record_open_locked(record, true);
	if (r < 0)
		return error_errno(error, -r, "cannot open %s", record->path);
	/* an exclusive lock on USE succeeds only without other users */
	if (record_lock(record, RECORD_USE, F_WRLCK, false) == 0)
		r = setup_first(network, error);
	else
		r = setup_next(network, error);
	if (r == 0)
		r = record_lock(record, RECORD_USE, F_RDLCK, true);
	(void)record_lock(record, RECORD_SETUP, F_UNLCK, false);
	if (r < 0) {
		record_close(record);
		return r;
	}
	network->watch_fd = nft_watch_open();
	network->ready = true;
	return 0;
}

int egress_setup(struct host_network *network, struct error *error)
{
	int r = network->ready ? 0 : host_setup(network, error);

	if (r == 0 && network->has_gateway && network->gateway.fd < 0)
		r = gateway_open(network, error);
	return r;
}

void egress_take_down(struct host_network *network)
{
	struct network_record *record = &network->record;

	gateway_close(network);
	if (network->watch_fd >= 0)
		(void)close(network->watch_fd);
	network->watch_fd = -1;
	if (record_lock(record, RECORD_USE, F_WRLCK, false) == 0) {
		record_read(record);
		if (record->contents.subnet != 0)
			undo(network);
		(void)unlink(record->path);
	}
	record_close(record);
	network->ready = false;
}

const char *egress_resolv(struct host_network *network, struct error *error)
{
	/* a table that is gone is loaded with them: egress_table_restore() */
	if (network_dns_refresh(&network->dns, record_has_subnet6(&network->record.contents)) &&
	    nft_table_present() && table_add_dns(network, error) < 0)
		return NULL;
	return network->dns.resolv;
}

/* ---- one step ---- */

/* Locks a free address. Those of the upper half are for steps with .limited. */
static int address_take(struct host_network *network, bool limited, unsigned *ret_index)
{
	unsigned first = limited ? NFT_INDEX_LISTED : 0, span = NFT_INDEX_LISTED;

	if (network->has_gateway) {
		first = gateway_index_first(&network->gateway, limited);
		span = gateway_index_span();
	}
	for (unsigned attempt = 0; attempt < span; attempt++) {
		unsigned index = first + network->next++ % span;

		if (index < ADDRESS_FIRST || index > ADDRESS_LAST ||
		    (network->used[index / 64] & (1ULL << (index % 64))))
			continue;
		if (record_lock(&network->record, RECORD_ADDRESS + (off_t)index, F_WRLCK, false) <
		    0)
			continue;
		/* the table still has lists of a killed program's step, so leave this address */
		if (record_marked(&network->record, index)) {
			(void)record_lock(&network->record, RECORD_ADDRESS + (off_t)index, F_UNLCK,
					  false);
			continue;
		}
		network->used[index / 64] |= 1ULL << (index % 64);
		*ret_index = index;
		return 0;
	}
	return -EADDRINUSE;
}

void egress_address_release(struct host_network *network, unsigned index)
{
	network->used[index / 64] &= ~(1ULL << (index % 64));
	(void)record_lock(&network->record, RECORD_ADDRESS + (off_t)index, F_UNLCK, false);
}

int egress_address_adopt(struct host_network *network, unsigned index)
{
	uint64_t bit = 1ULL << (index % 64);

	if (!network->ready || index < ADDRESS_FIRST || index > ADDRESS_LAST ||
	    (network->used[index / 64] & bit) ||
	    record_lock(&network->record, RECORD_ADDRESS + (off_t)index, F_WRLCK, false) < 0)
		return -EBUSY;
	network->used[index / 64] |= bit;
	return 0;
}

int egress_settle(struct host_network *network, struct error *error)
{
	unsigned first = ADDRESS_FIRST;

	if (!network->ready)
		return 0;
	for (unsigned index = first; index <= ADDRESS_LAST + 1; index++) {
		if (index <= ADDRESS_LAST && !(network->used[index / 64] & (1ULL << (index % 64))))
			continue;
		record_unlock(&network->record, RECORD_ADDRESS + (off_t)first,
			      (off_t)(index - first));
		first = index + 1;
	}
	return nft_table_present() ? 0 : egress_table_restore(network, error);
}

/* Rights that the namespace grants, as capabilities inside do not; no automatic addresses. */
#define COMMON_SETTINGS                                                                            \
	{"/proc/sys/net/ipv4/ping_group_range", "0 2147483647", false},                            \
		{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", false},                     \
		{"/proc/sys/net/ipv6/conf/default/accept_ra", "0", true},                          \
		{"/proc/sys/net/ipv6/conf/default/accept_redirects", "0", true},                   \
		{"/proc/sys/net/ipv6/conf/default/autoconf", "0", true},                           \
	{                                                                                          \
		"/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1", true                         \
	}

static const struct netns_setting settings_plain[] = {COMMON_SETTINGS, {NULL, NULL, false}};
static const struct netns_setting settings_no_ipv6[] = {
	COMMON_SETTINGS,
	{"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", true},
	{NULL, NULL, false},
};

const struct netns_setting *plain_settings(void)
{
	return settings_plain;
}

int plain_step_new(struct host_network_step *step, struct error *error)
{
	*step = HOST_NETWORK_STEP_NULL;
	step->netns_fd = spawn_netns(settings_plain, &step->netlink_fd, error);
	return step->netns_fd < 0 ? step->netns_fd : 0;
}

/* Makes a namespace and a link with the next free address. Return: 0; -EEXIST; -errno. */
static int link_attempt(struct host_network *network, bool limited, struct host_network_step *step,
			struct error *error)
{
	const struct record_contents *contents = &network->record.contents;
	struct step_link link = {.gateway_fd = network->gateway.fd,
				 .gateway = contents->subnet + 1,
				 .forward4 = !contents->routes4,
				 .ipv6 = record_has_subnet6(contents)};
	int netlink_fd, r;

	*step = HOST_NETWORK_STEP_NULL;
	r = address_take(network, limited, &step->index);
	if (r < 0)
		return error_errno(error, -r, "no free address for a step");
	link.index = LINK_INDEX_FIRST + (int)step->index;
	link.address = contents->subnet + step->index;
	link.address6 = record_address6(contents, step->index);
	/* locally administered, "rbk" */
	memcpy(link.mac,
	       (const uint8_t[]){0x02, 0x72, 0x62, 0x6b, (uint8_t)(step->index >> 8),
				 (uint8_t)step->index},
	       sizeof(link.mac));
	(void)snprintf(link.name, sizeof(link.name), NFT_LINK_PREFIX "%04x", step->index);
	step->netns_fd =
		spawn_netns(link.ipv6 ? settings_plain : settings_no_ipv6, &netlink_fd, error);
	r = step->netns_fd;
	if (r >= 0)
		r = host_link_make(&link, step->netns_fd, netlink_fd, error);
	if (r == 0 && link.gateway_fd < 0)
		r = record_forwarding6_on(contents, link.name, error);
	if (r < 0)
		host_network_step_free(network, step);
	return r;
}

int egress_step_new(struct host_network *network, bool limited, struct host_network_step *step,
		    struct error *error)
{
	for (int attempt = 0; attempt < ADDRESS_ATTEMPTS; attempt++) {
		int r = link_attempt(network, limited, step, error);

		/* -EEXIST: the link of this index is still being removed, so take the next */
		if (r != -EEXIST)
			return r;
	}
	return error_set(error, EADDRINUSE, "no free name for a step's link");
}

/* ---- lists of destinations ---- */

static struct nft_listed listed_of(const struct host_network *network,
				   const struct network_rules *rules, bool only)
{
	const struct record_contents *contents = &network->record.contents;

	return (struct nft_listed){
		.address = htonl(contents->subnet + rules->index),
		.address6 = record_address6(contents, rules->index),
		.only = only,
		.rules = only ? rules->only : rules->allow,
		.n_rules = only ? rules->n_only : rules->n_allow,
	};
}

/* Adds a step's lists to the sets of the table. */
static int rules_put(struct host_network *network, const struct network_rules *rules,
		     struct error *error)
{
	struct nft_listed allow = listed_of(network, rules, false);
	struct nft_listed only = listed_of(network, rules, true);
	int r = nft_elements_add(&allow, error);

	return r < 0 ? r : nft_elements_add(&only, error);
}

/* Deletes a step's lists from the sets of the table. */
static void rules_drop(const struct host_network *network, const struct network_rules *rules)
{
	struct nft_listed allow = listed_of(network, rules, false);
	struct nft_listed only = listed_of(network, rules, true);

	nft_elements_delete(&allow);
	nft_elements_delete(&only);
}

/* Adds the lists of all our running steps to a table that may lack them. */
static int rules_restore(struct host_network *network, struct error *error)
{
	for (const struct network_rules *at = network->rules; at; at = at->next) {
		int r;

		rules_drop(network, at);
		r = rules_put(network, at, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rules_copy(const struct network_rule *rules, size_t n, struct network_rule **ret_rules,
		      size_t *ret_n)
{
	struct network_rule *copy = NULL;
	int count;

	/* NETWORK_RULES_MAX bounds the written rules; tidying may split them into more */
	if (n > NETWORK_RULES_TIDY_MAX)
		return -E2BIG;
	copy = calloc(NETWORK_RULES_TIDY_MAX, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	count = network_rules_tidy(rules, n, copy, NETWORK_RULES_TIDY_MAX);
	*ret_rules = copy;
	*ret_n = count < 0 ? 0 : (size_t)count;
	return count < 0 ? count : 0;
}

static void rules_free(struct network_rules *rules)
{
	free(rules->allow);
	free(rules->only);
	free(rules);
}

static int rules_new(const struct host_network_request *request, unsigned index,
		     struct network_rules **ret_rules)
{
	struct network_rules *rules = calloc(1, sizeof(*rules));
	int r;

	if (!rules)
		return -ENOMEM;
	rules->index = index;
	r = rules_copy(request->allow, request->n_allow, &rules->allow, &rules->n_allow);
	if (r == 0)
		r = rules_copy(request->only, request->n_only, &rules->only, &rules->n_only);
	if (r < 0)
		rules_free(rules);
	else
		*ret_rules = rules;
	return r;
}

static void rules_link(struct host_network *network, struct network_rules *rules,
		       struct host_network_step *step)
{
	rules->next = network->rules;
	if (rules->next)
		rules->next->previous = rules;
	network->rules = rules;
	step->rules = rules;
}

int egress_rules_adopt(struct host_network *network, const struct host_network_request *request,
		       struct host_network_step *step)
{
	struct network_rules *rules;
	int r;

	if (step->index == 0 || (request->n_allow == 0 && request->n_only == 0))
		return 0;
	r = rules_new(request, step->index, &rules);
	if (r == 0)
		rules_link(network, rules, step);
	return r;
}

int egress_list(struct host_network *network, const struct host_network_request *request,
		struct host_network_step *step, struct error *error)
{
	struct network_rules *rules;
	int r;

	if (request->n_allow == 0 && request->n_only == 0)
		return 0;
	r = rules_new(request, step->index, &rules);
	if (r < 0)
		return error_errno(error, -r, "cannot list what a step may reach");
	r = record_mark(&network->record, step->index, true);
	if (r < 0)
		(void)error_errno(error, -r, "cannot write down that a step has lists");
	else
		r = rules_put(network, rules, error);
	if (r < 0) {
		rules_drop(network, rules);
		(void)record_mark(&network->record, step->index, false);
		rules_free(rules);
		return r;
	}
	rules_link(network, rules, step);
	return 0;
}

void egress_unlist(struct host_network *network, struct host_network_step *step)
{
	struct network_rules *rules = step->rules;

	if (!rules)
		return;
	rules_drop(network, rules);
	(void)record_mark(&network->record, rules->index, false);
	if (rules->previous)
		rules->previous->next = rules->next;
	else
		network->rules = rules->next;
	if (rules->next)
		rules->next->previous = rules->previous;
	rules_free(rules);
	step->rules = NULL;
}
