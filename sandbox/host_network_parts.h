/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_PARTS_H
#define SANDBOX_HOST_NETWORK_PARTS_H

/* Insides of struct host_network, for the host_network*.c files only. */

#include "common/limits.h"
#include "sandbox/host_network.h"
#include "sandbox/host_network_dns.h"
#include "sandbox/host_network_record.h"

/** struct network_rules - destinations of a running step, to be listed again if need be */
struct network_rules {
	struct network_rules *next, *previous;
	unsigned index;
	struct network_rule *allow, *only;
	size_t n_allow, n_only;
};

/** struct network_pool - ready namespaces, used from the end */
struct network_pool {
	struct host_network_step ready[NETWORK_POOL_MAX];
	unsigned n_ready;
	bool wanted; /* a step of this kind was there */
};

struct host_network {
	struct network_record record;
	bool ready; /* set up for egress */
	struct network_dns dns;
	uint64_t used[65536 / 64]; /* OFD locks do not exclude ourselves */
	uint32_t next;
	int watch_fd; /* -1: the kernel has no such news */
	struct network_rules *rules;
	unsigned pool_size;
	bool pool_failed; /* until the next step: no trying again and again */
	struct network_pool egress, plain;
	char *directory;
	struct network_group *groups;
	struct netns_job *job; /* a plain one that is being made beside us */
};

/** plain_settings() - of a namespace without a way out */
const struct netns_setting *plain_settings(void);

/** egress_setup() - be ready for steps: subnets, table, forwarding. Return: 0 or -errno. */
int egress_setup(struct host_network *network, struct error *error);
/** egress_take_down() - with the SETUP lock held: whoever is the last to go cleans up */
void egress_take_down(struct host_network *network);
/** egress_table_restore() - load the table if it is not there. Return: 1 if so, 0, -errno. */
int egress_table_restore(struct host_network *network, struct error *error);
/** egress_resolv() - resolvers, after egress_setup(); NULL with @error */
const char *egress_resolv(struct host_network *network, struct error *error);
/**
 * egress_step_new() - a namespace with its way out
 * @limited: with an address of the upper half, see NFT_INDEX_LISTED
 */
int egress_step_new(struct host_network *network, bool limited, struct host_network_step *step,
		    struct error *error);
/** egress_address_release() - its index may be used again */
void egress_address_release(struct host_network *network, unsigned index);
/** egress_address_adopt() - the very address that a predecessor had. Return: 0 or -EBUSY. */
int egress_address_adopt(struct host_network *network, unsigned index);
/** egress_rules_adopt() - its lists, which are in the table already. Return: 0 or -ENOMEM. */
int egress_rules_adopt(struct host_network *network, const struct host_network_request *request,
		       struct host_network_step *step);
/** egress_settle() - unlock addresses that nobody has. Return: 0 or -errno with @error. */
int egress_settle(struct host_network *network, struct error *error);
/** egress_list() - open the way to what the step's lists say. Return: 0 or -errno. */
int egress_list(struct host_network *network, const struct host_network_request *request,
		struct host_network_step *step, struct error *error);
/** egress_unlist() - close it again */
void egress_unlist(struct host_network *network, struct host_network_step *step);

/** plain_step_new() - a namespace with a loopback. Return: 0 or -errno. */
int plain_step_new(struct host_network_step *step, struct error *error);

#endif
