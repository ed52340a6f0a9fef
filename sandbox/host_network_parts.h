/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_PARTS_H
#define SANDBOX_HOST_NETWORK_PARTS_H

/*
 * DOC: The parts of host networks
 *
 * The members of struct host_network and what the host_network*.c files call of each other; no
 * other file includes this. A plain namespace has a loopback only; an egress namespace also has
 * its link, address and routes.
 */

#include "common/limits.h"
#include "sandbox/host_network.h"
#include "sandbox/host_network_dns.h"
#include "sandbox/host_network_record.h"

/** struct network_rules - destinations of a running step, listed again in a new table */
struct network_rules {
	struct network_rules *next, *previous;
	unsigned index;
	struct network_rule *allow, *only;
	size_t n_allow, n_only;
};

/** struct network_pool - namespaces made ahead, used from the end */
struct network_pool {
	struct host_network_step ready[NETWORK_POOL_MAX];
	unsigned n_ready;
	bool wanted; /* a step of this kind has started, so that more are likely */
};

/** struct network_gateway - see host_network_gateway.c */
struct network_gateway {
	int fd;	       /* NETLINK_ROUTE socket in its namespace; -1: there is none */
	unsigned part; /* of the addresses */
};

struct host_network {
	struct network_record record;
	bool ready;	  /* the host is set up for egress */
	bool has_gateway; /* steps' links end in .gateway, not on the host */
	bool begun;	  /* host_network_idle() has tried to set up egress */
	struct network_gateway gateway;
	struct network_dns dns;
	/* addresses of our own steps: OFD locks do not exclude their holder */
	uint64_t used[65536 / 64];
	uint32_t next;
	int watch_fd; /* notifications about tables; -1: the kernel has none */
	struct network_rules *rules;
	unsigned pool_size;
	bool pool_failed; /* do not try again before the next step */
	struct network_pool egress, plain;
	char *directory;
	struct network_group *groups;
	struct netns_job *job; /* makes a plain namespace in a process of its own; NULL: none */
};

/** plain_settings() - settings of a plain namespace */
const struct netns_setting *plain_settings(void);

/**
 * egress_setup() - set up subnets, table, forwarding and gateway, as far as they are missing
 *
 * Return: 0 or -errno with @error.
 */
int egress_setup(struct host_network *network, struct error *error);
/** egress_take_down() - undo egress_setup() if we are the last user; the SETUP lock is held */
void egress_take_down(struct host_network *network);
/** egress_table_restore() - load the table if it is gone. Return: 1 if it was, 0, -errno. */
int egress_table_restore(struct host_network *network, struct error *error);
/** egress_resolv() - resolv.conf of steps, after egress_setup(); NULL with @error */
const char *egress_resolv(struct host_network *network, struct error *error);
/**
 * egress_step_new() - make an egress namespace
 * @limited: give it an address of the upper half, see NFT_INDEX_LISTED
 *
 * Return: 0 or -errno with @error.
 */
int egress_step_new(struct host_network *network, bool limited, struct host_network_step *step,
		    struct error *error);
/** egress_address_release() - its index may be used again */
void egress_address_release(struct host_network *network, unsigned index);
/** egress_address_adopt() - lock the address of a predecessor's step. Return: 0 or -EBUSY. */
int egress_address_adopt(struct host_network *network, unsigned index);
/** egress_rules_adopt() - copy lists that are in the table already. Return: 0 or -ENOMEM. */
int egress_rules_adopt(struct host_network *network, const struct host_network_request *request,
		       struct host_network_step *step);
/** egress_settle() - unlock addresses that no step has. Return: 0 or -errno with @error. */
int egress_settle(struct host_network *network, struct error *error);
/** egress_list() - put the step's lists into the table's sets. Return: 0 or -errno. */
int egress_list(struct host_network *network, const struct host_network_request *request,
		struct host_network_step *step, struct error *error);
/** egress_unlist() - remove the step's lists from the table's sets */
void egress_unlist(struct host_network *network, struct host_network_step *step);

/** gateway_open() - make the gateway and its uplink. Return: 0 or -errno with @error. */
int gateway_open(struct host_network *network, struct error *error);
/** gateway_inherit() - use a predecessor's gateway; owns @fd (-1: none) from now on */
void gateway_inherit(struct host_network *network, int fd);
/** gateway_present() - is there a gateway, and its uplink on the host? */
bool gateway_present(const struct host_network *network);
/** gateway_close() - remove the uplink; the kernel removes what is left, in the background */
void gateway_close(struct host_network *network);
/** gateway_index_first() - the first index of our part; @limited: of its upper half */
unsigned gateway_index_first(const struct network_gateway *gateway, bool limited);
/** gateway_index_span() - how many follow each other there */
unsigned gateway_index_span(void);

/** plain_step_new() - make a plain namespace. Return: 0 or -errno. */
int plain_step_new(struct host_network_step *step, struct error *error);

#endif
