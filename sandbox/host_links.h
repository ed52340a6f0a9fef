/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_LINKS_H
#define SANDBOX_HOST_LINKS_H

/* Links, addresses and routes of one step, by route netlink. */

#include "common/error.h"

#include <net/if.h>
#include <stdint.h>

/** struct step_link - addresses in host byte order */
struct step_link {
	char name[IFNAMSIZ]; /* on the host */
	uint32_t address;    /* the step's */
	uint32_t gateway;    /* the host's end, the same for every step */
};

/**
 * host_link_make() - a veth pair from the host into @netns_fd, with its routes
 * @netlink_fd: NETLINK_ROUTE socket of that namespace; taken over, always
 *
 * Return: 0; -EEXIST when the name is still in use; -errno with @error.
 */
int host_link_make(const struct step_link *link, int netns_fd, int netlink_fd, struct error *error);

#endif
