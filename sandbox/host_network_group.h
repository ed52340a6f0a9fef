/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_GROUP_H
#define SANDBOX_HOST_NETWORK_GROUP_H

/*
 * DOC: Network "isolated"
 *
 * The steps of a run with an isolated network share a bridge. It lies in a network namespace of
 * its own, the hub, which has no address, no route and no other way out. Each step has an
 * address from fixed ranges (10.77.0.0/16 and fd77:7275:6e00::/64: nothing leaves, so every run
 * may use the same), given in the order of their starts.
 *
 * Their names are in one hosts file of the run, which each of them sees as its /etc/hosts. It
 * has lines of equal length and is written in place when a step starts or ends, so a running
 * step sees the steps that start later.
 */

#include "sandbox/host_network_parts.h"

#define GROUP_NAME_MAX NETWORK_GROUP_NAME_MAX

/** network_group_join() - connect @step's plain namespace. Return: 0 or -errno with @error. */
int network_group_join(struct host_network *network, const struct host_network_request *request,
		       struct host_network_step *step, struct error *error);
/** network_group_leave() - remove @step; the last step removes the hub and the hosts file */
void network_group_leave(struct host_network *network, struct host_network_step *step);
/** network_group_persist() - what network_group_adopt() needs; descriptors stay the group's */
void network_group_persist(const struct host_network_step *step, struct host_network_kept *kept,
			   int fds[NETWORK_KEPT_FDS]);
/** network_group_adopt() - join again after a restart; owns @fds. Return: 0 or -errno. */
int network_group_adopt(struct host_network *network, const struct host_network_kept *kept,
			const int fds[NETWORK_KEPT_FDS], struct host_network_step *step);
/** network_group_hosts() - path of the hosts file */
const char *network_group_hosts(const struct network_group *group);
/** network_groups_sweep() - remove hosts files that killed programs left */
void network_groups_sweep(struct host_network *network);

#endif
