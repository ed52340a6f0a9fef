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

/**
 * struct nft_facts - what differs from host to host
 * @subnet:  of the steps, host byte order, /16
 * @dns:     IPv4 addresses as text
 * @uplinks: interfaces that forward only because we said so
 */
struct nft_facts {
	uint32_t subnet;
	const char (*dns)[64];
	size_t n_dns;
	const char (*uplinks)[64];
	size_t n_uplinks;
};

/** nft_table_text() - the ruleset; replaces the table in one transaction. malloc'ed or NULL. */
char *nft_table_text(const struct nft_facts *facts);
/** nft_dns_text() - adds resolvers to a table that is there. malloc'ed or NULL. */
char *nft_dns_text(const struct nft_facts *facts);
/** nft_table_present() - false also when the kernel gives no answer */
bool nft_table_present(void);
/** nft_run() - load @text. Return: 0 or -errno with nft's own words in @error. */
int nft_run(const char *text, struct error *error);

#endif
