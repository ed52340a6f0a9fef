/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_H
#define SANDBOX_HOST_NETWORK_H

/*
 * DOC: Networks of steps
 *
 * none      a network namespace with a loopback
 * isolated  a loopback and a link to the bridge of the run (host_network_group.h)
 * egress    a link of its own (a veth pair) and an address of its own that is
 *           routed over it; without a bridge it has no neighbour to spoof. The
 *           link leads to the host or to a namespace between it and the steps
 *           (host_network_gateway.c). The host forwards and translates packets
 *           that leave. One nftables table, loaded once, drops what a step may
 *           not reach: the host itself, other steps, private, link-local, shared
 *           and metadata ranges; and packets whose source is not the step's address.
 *
 * Without a gateway, the host is not changed before the first step with egress.
 *
 * When the caller is idle (host_network_idle()), namespaces are made ahead. Each is used by one
 * step only, so no step sees what another did in it.
 */

#include "common/error.h"
#include "common/network_rule.h"
#include "common/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_KEPT_FDS 3
#define NETWORK_GROUP_NAME_MAX 200 /* SANDBOX_ID_MAX */

struct host_network;
struct network_group;
struct network_rules;

/** struct host_network_request - the network that a step requests */
struct host_network_request {
	enum step_network kind;
	const char *group;		  /* isolated: steps with the same group share one bridge */
	const char *name;		  /* isolated: the step's name for its group */
	const char *hostname;		  /* the step's name inside */
	const struct network_rule *allow; /* egress: reachable despite the blocked ranges */
	size_t n_allow;
	const struct network_rule *only; /* egress, if .limited: nothing else is reachable */
	size_t n_only;
	bool limited;
};

/** struct host_network_step - the network of one step; .netns_fd is -1 if it has none yet */
struct host_network_step {
	int netns_fd;
	int netlink_fd; /* NETLINK_ROUTE socket of a plain namespace until a link is made in it */
	unsigned index; /* of its egress address; 0: none */
	struct network_group *group;
	struct network_rules *rules;
};
#define HOST_NETWORK_STEP_NULL ((struct host_network_step){.netns_fd = -1, .netlink_fd = -1})

/**
 * struct host_network_options - configuration
 * @dns_servers: NULL-terminated; NULL: the host's own resolvers
 * @pool:        namespaces of each kind to keep ready, 0: none
 * @gateway:     for a program that starts many steps: the host's links do not change with each.
 *               Egress is set up in the first idle moment, so that they do not change later
 * @directory:   for the hosts files of runs; made when needed
 */
struct host_network_options {
	const char *const *dns_servers;
	unsigned pool;
	bool gateway;
	const char *directory;
};

/** host_network_new() - copy the configuration; changes nothing of the host */
int host_network_new(struct host_network **ret_network, const struct host_network_options *options,
		     struct error *error);
/** host_network_free() - also removes the table, links and forwarding if no program uses them */
struct host_network *host_network_free(struct host_network *network);
/** host_network_sweep() - remove what killed programs left, unless another program uses it */
int host_network_sweep(struct host_network *network, struct error *error);

/** host_network_resolv() - contents of resolv.conf for egress, owned by @network */
const char *host_network_resolv(struct host_network *network, struct error *error);

/**
 * host_network_step_new() - make the requested network namespace, or take it from the pool
 *
 * For "none" without a pool .netns_fd stays -1, and the caller's clone3() makes the namespace.
 * Return: 0 or -errno with @error.
 */
int host_network_step_new(struct host_network *network, const struct host_network_request *request,
			  struct host_network_step *step, struct error *error);
/**
 * host_network_begin() - start making a plain namespace in a process of its own
 *
 * For a program that starts one sandbox and has other things to prepare meanwhile.
 */
void host_network_begin(struct host_network *network);
/** host_network_join() - move the begun namespace to @step, which has none. Return: 0 or -errno. */
int host_network_join(struct host_network *network, struct host_network_step *step,
		      struct error *error);
/** host_network_step_free() - the kernel removes the link with the namespace, in the background */
void host_network_step_free(struct host_network *network, struct host_network_step *step);
/** host_network_step_hosts() - the hosts file of its run; NULL unless it is "isolated" */
const char *host_network_step_hosts(const struct host_network_step *step);

/* ---- networks that outlive the process that made them ---- */

/** struct host_network_kept - a step's network as plain data, for a successor process */
struct host_network_kept {
	uint32_t index;
	char group[NETWORK_GROUP_NAME_MAX + 1]; /* "": none */
	int32_t bridge;
	uint32_t next_index, member, slot;
	uint64_t hosts_head;
};

/** host_network_fd() - the open file that holds its locks, owned by @network; -1: none yet */
int host_network_fd(const struct host_network *network);
/** host_network_gateway_fd() - what keeps the gateway, owned by @network; -1: none */
int host_network_gateway_fd(const struct host_network *network);
/** host_network_inherit() - use the set-up, locks and gateway of a predecessor; owns both now */
void host_network_inherit(struct host_network *network, int fd, int gateway_fd);
/**
 * host_network_step_persist() - fill in what host_network_step_adopt() needs
 * @fds: of the group, not to be closed; -1 when there is none
 */
void host_network_step_persist(const struct host_network_step *step, struct host_network_kept *kept,
			       int fds[NETWORK_KEPT_FDS]);
/** host_network_step_lists() - the step's lists of destinations, owned by @step */
void host_network_step_lists(const struct host_network_step *step,
			     struct host_network_request *request);
/**
 * host_network_step_adopt() - take over a step's network from a predecessor
 * @request:  its lists
 * @netns_fd: owned by @step from now on, as are @fds
 *
 * An address that another step has meanwhile stays with that step. Return: 0 or -errno.
 */
int host_network_step_adopt(struct host_network *network, const struct host_network_kept *kept,
			    const struct host_network_request *request, int netns_fd,
			    const int fds[NETWORK_KEPT_FDS], struct host_network_step *step);
/** host_network_settle() - after the last adoption: unlock the rest. Return: 0 or -errno. */
int host_network_settle(struct host_network *network, struct error *error);

/** host_network_idle() - set up egress, or make one namespace, ahead. Return: whether more are wanted. */
bool host_network_idle(struct host_network *network);

/** host_network_watch_fd() - readable when host_network_watch() must be called, or -1 */
int host_network_watch_fd(const struct host_network *network);
/** host_network_watch() - load the table again if it was removed. Return: true if it was. */
bool host_network_watch(struct host_network *network);

#endif
