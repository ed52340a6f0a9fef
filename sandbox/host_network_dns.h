/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_DNS_H
#define SANDBOX_HOST_NETWORK_DNS_H

/*
 * DOC: Resolvers of steps
 *
 * Steps with egress use the configured resolvers or, without configuration, those that the host
 * uses itself. Their addresses go to the nftables table and to the steps' resolv.conf;
 * network_dns_refresh() notices when the host's files have changed.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define NETWORK_DNS_MAX 8

/** struct network_dns - addresses as text, for nft and resolv.conf */
struct network_dns {
	char servers4[NETWORK_DNS_MAX][64];
	size_t n_servers4;
	char servers6[NETWORK_DNS_MAX][64];
	size_t n_servers6;
	bool known, given;
	struct timespec time; /* modification time of the newest file that they were read from */
	char resolv[1024];
};

/**
 * network_dns_configure() - set the resolvers
 * @servers: NULL-terminated; NULL: the host's own
 *
 * Return: 0; -EINVAL with @error naming the one that is not an address.
 */
int network_dns_configure(struct network_dns *dns, const char *const *servers, struct error *error);
/**
 * network_dns_refresh() - read the host's files again if they have changed
 * @ipv6: steps reach IPv6, so resolv.conf may name such servers
 *
 * Return: true if the addresses may have changed.
 */
bool network_dns_refresh(struct network_dns *dns, bool ipv6);

#endif
