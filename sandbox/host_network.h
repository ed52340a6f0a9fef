/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_H
#define SANDBOX_HOST_NETWORK_H

/*
 * DOC: Networks of steps
 *
 * none      a network namespace with a loopback
 * isolated  the same and a link to the bridge of the run (host_network_group.h)
 * egress    a link of its own to the host (a veth pair) and an address of its
 *           own that is routed over it; there is no bridge, hence no neighbour
 *           to spoof. The host forwards and translates what goes out. One
 *           nftables table, loaded once, drops what may not be reached:
 *           everything addressed to the host itself, other steps, private,
 *           link-local, shared and metadata ranges, packets with a source that
 *           is not the step's own.
 *
 * Nothing on the host is touched before the first step that wants egress.
 *
 * Where the caller has idle moments (host_network_idle()), namespaces are made
 * ahead, ready for use. They are used once: what a step did in one is never
 * another's.
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

/** struct host_network_request - what a step asks for */
struct host_network_request {
	enum step_network kind;
	const char *group;		  /* isolated: who has the same sees each other */
	const char *name;		  /* and by this name */
	const char *hostname;		  /* what the step is called inside */
	const struct network_rule *allow; /* egress: opened in spite of the blocked ranges */
	size_t n_allow;
	const struct network_rule *only; /* egress, if .limited: nothing else is reached */
	size_t n_only;
	bool limited;
};

/** struct host_network_step - one step's; .netns_fd is -1 while there is none */
struct host_network_step {
	int netns_fd;
	int netlink_fd; /* of a plain one, until it is used */
	unsigned index; /* of its address; 0: none */
	struct network_group *group;
	struct network_rules *rules;
};
#define HOST_NETWORK_STEP_NULL ((struct host_network_step){.netns_fd = -1, .netlink_fd = -1})

/**
 * struct host_network_options - configuration
 * @dns_servers: NULL-terminated; NULL: the host's own resolvers
 * @pool:        namespaces of each kind to keep ready, 0: none
 * @directory:   where hosts files of runs are kept; made when needed
 */
struct host_network_options {
	const char *const *dns_servers;
	unsigned pool;
	const char *directory;
};

/** host_network_new() - remember the configuration; touches nothing. Strings are copied. */
int host_network_new(struct host_network **ret_network, const struct host_network_options *options,
		     struct error *error);
/** host_network_free() - removes table, links and forwarding that it set up */
struct host_network *host_network_free(struct host_network *network);
/** host_network_sweep() - remove what killed programs left, unless others live */
int host_network_sweep(struct host_network *network, struct error *error);

/** host_network_resolv() - contents of resolv.conf for egress, owned by @network */
const char *host_network_resolv(struct host_network *network, struct error *error);

/**
 * host_network_step_new() - a network namespace as requested
 *
 * For "none" without a pool there is none: .netns_fd stays -1, and clone3() may
 * make it. Return: 0 or -errno with @error.
 */
int host_network_step_new(struct host_network *network, const struct host_network_request *request,
			  struct host_network_step *step, struct error *error);
/**
 * host_network_begin() - make a plain namespace beside us, for a next step's "none"
 *
 * For who is going to start one sandbox and has other things to prepare as well.
 */
void host_network_begin(struct host_network *network);
/** host_network_join() - give @step, which has none yet, what was begun. Return: 0 or -errno. */
int host_network_join(struct host_network *network, struct host_network_step *step,
		      struct error *error);
/** host_network_step_free() - its link goes with the namespace, in the background */
void host_network_step_free(struct host_network *network, struct host_network_step *step);
/** host_network_step_hosts() - the hosts file of its run, NULL when it has none of its own */
const char *host_network_step_hosts(const struct host_network_step *step);

/* ---- of a predecessor ---- */

/** struct host_network_kept - a step's network as plain data, for one that goes on with it */
struct host_network_kept {
	uint32_t index;
	char group[NETWORK_GROUP_NAME_MAX + 1]; /* "": none */
	int32_t bridge;
	uint32_t next_index, member, slot;
	uint64_t hosts_head;
};

/** host_network_fd() - the open file that holds its locks, owned by @network; -1 */
int host_network_fd(const struct host_network *network);
/** host_network_inherit() - go on with what a predecessor has set up; takes @fd over */
void host_network_inherit(struct host_network *network, int fd);
/**
 * host_network_step_keep() - fill in what host_network_step_adopt() needs
 * @fds: of the group, not to be closed; -1 when there is none
 */
void host_network_step_keep(const struct host_network_step *step, struct host_network_kept *kept,
			    int fds[NETWORK_KEPT_FDS]);
/** host_network_step_lists() - what it may reach, owned by @step */
void host_network_step_lists(const struct host_network_step *step,
			     struct host_network_request *request);
/**
 * host_network_step_adopt() - the same network again
 * @request:     its lists
 * @netns_fd: taken over, as are @fds
 *
 * What another step has meanwhile is left to that one. Return: 0 or -errno.
 */
int host_network_step_adopt(struct host_network *network, const struct host_network_kept *kept,
			    const struct host_network_request *request, int netns_fd,
			    const int fds[NETWORK_KEPT_FDS], struct host_network_step *step);
/** host_network_settle() - all are adopted: unlock the rest. Return: 0 or -errno with @error. */
int host_network_settle(struct host_network *network, struct error *error);

/** host_network_idle() - make one namespace ahead. Return: whether there is more to do. */
bool host_network_idle(struct host_network *network);

/** host_network_watch_fd() - readable when host_network_watch() wants to be called, or -1 */
int host_network_watch_fd(const struct host_network *network);
/** host_network_watch() - bring a table back that somebody removed. Return: true when it did. */
bool host_network_watch(struct host_network *network);

#endif
