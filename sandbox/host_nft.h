/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NFT_H
#define SANDBOX_HOST_NFT_H

/*
 * DOC: The firewall of steps
 *
 * All rules are in one nftables table, which this module writes as text and loads with nft(8)
 * in one transaction. It changes rarely: per step only elements of its sets change
 * (host_nft_netlink.h). The namespace of a gateway has a table of its own, which never changes.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFT_TABLE "runbookd"
#define NFT_LINK_PREFIX "rbk"  /* of links that lead to steps */
#define NFT_UPLINK_PREFIX "up" /* of a gateway's own end of its uplink */

/*
 * The upper half of the addresses is for steps that reach only the destinations listed for
 * them. So a newly loaded table blocks them until their lists are complete again.
 */
#define NFT_INDEX_LISTED 0x8000U

/**
 * struct nft_facts - what differs from host to host
 * @subnet:      of the steps, host byte order, /16
 * @subnet6:     /48; NULL: steps have no IPv6
 * @dns4, @dns6: addresses as text
 * @uplinks4, @uplinks6: interfaces that forward only by our change
 * @everywhere6: IPv6 is forwarded at all only by our change
 */
struct nft_facts {
	uint32_t subnet;
	const uint8_t *subnet6;
	const char (*dns4)[64];
	size_t n_dns4;
	const char (*dns6)[64];
	size_t n_dns6;
	const char (*uplinks4)[64];
	size_t n_uplinks4;
	const char (*uplinks6)[64];
	size_t n_uplinks6;
	bool everywhere6;
};

/** nft_table_text() - the ruleset; replaces the table in one transaction. malloc'ed or NULL. */
char *nft_table_text(const struct nft_facts *facts);
/** nft_dns_text() - adds resolvers to the loaded table; "" for none. malloc'ed or NULL. */
char *nft_dns_text(const struct nft_facts *facts);
/** nft_run() - load @text. Return: 0; -errno with the message of nft in @error. */
int nft_run(const char *text, struct error *error);
/** nft_gateway_load() - load a new gateway's table in @netns_fd. Return: as nft_run(). */
int nft_gateway_load(int netns_fd, struct error *error);

#endif
