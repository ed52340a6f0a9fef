/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_DNS_H
#define SANDBOX_HOST_NETWORK_DNS_H

/* The resolvers of steps: as configured, or the real ones of the host. */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define NETWORK_DNS_MAX 8

/** struct network_dns - addresses as text, as nft and resolv.conf want them */
struct network_dns {
	char servers4[NETWORK_DNS_MAX][64];
	size_t n_servers4;
	char servers6[NETWORK_DNS_MAX][64];
	size_t n_servers6;
	bool known, given;
	struct timespec time; /* of the newest file they came from */
	char resolv[1024];
};

/**
 * network_dns_configure() - take over what the configuration says
 * @servers: NULL-terminated; NULL: the host's own
 *
 * Return: 0; -EINVAL with @error naming the one that is no address.
 */
int network_dns_configure(struct network_dns *dns, const char *const *servers, struct error *error);
/**
 * network_dns_refresh() - look again, if the host's files changed
 * @ipv6: steps reach IPv6, so resolv.conf may name such servers
 *
 * Return: true when something may have changed.
 */
bool network_dns_refresh(struct network_dns *dns, bool ipv6);

#endif
