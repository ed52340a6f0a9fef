/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NFT_H
#define SANDBOX_HOST_NFT_H

/* The one nftables table, loaded by running nft(8). */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFT_TABLE "runbookd"
#define NFT_LINK_PREFIX "rbk"

/*
 * The upper half of the addresses is for steps that reach nothing but what is
 * listed for them: a table that is loaded anew is closed for them until their
 * lists are there again.
 */
#define NFT_INDEX_LISTED 0x8000U

/**
 * struct nft_facts - what differs from host to host
 * @subnet:      of the steps, host byte order, /16
 * @subnet6:     /48; NULL: steps have no IPv6
 * @dns4, @dns6: addresses as text
 * @uplinks4, @uplinks6: interfaces that forward only because we said so
 * @everywhere6: IPv6 is forwarded at all only because we said so
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
/** nft_dns_text() - adds resolvers to a table that is there; "" for none. malloc'ed or NULL. */
char *nft_dns_text(const struct nft_facts *facts);
/** nft_run() - load @text. Return: 0 or -errno with nft's own words in @error. */
int nft_run(const char *text, struct error *error);

#endif
