/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NFT_NETLINK_H
#define SANDBOX_HOST_NFT_NETLINK_H

/*
 * DOC: The firewall by netlink
 *
 * Operations on nftables that are frequent, or that a step waits for, are done over netlink
 * without running nft(8): whether the table exists, adding and deleting elements of its sets,
 * notifications of its removal.
 */

#include "common/error.h"
#include "common/network_rule.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** nft_table_present() - whether the table exists; false also if the kernel does not answer */
bool nft_table_present(void);

/**
 * struct nft_listed - destinations of one step
 * @address: the step's, network byte order
 * @only:    use the sets only4/only6, otherwise allow4/allow6
 */
struct nft_listed {
	in_addr_t address;
	struct in6_addr address6;
	bool only;
	const struct network_rule *rules;
	size_t n_rules;
};

/**
 * nft_elements_add() - add them in one transaction; on failure none is added
 *
 * Rules of one step may overlap as long as none is given twice.
 * Return: 0 or -errno with @error.
 */
int nft_elements_add(const struct nft_listed *listed, struct error *error);
/** nft_elements_delete() - delete those that exist; a missing table is accepted */
void nft_elements_delete(const struct nft_listed *listed);

/** nft_watch_open() - open a socket that is readable when tables change. Return: fd or -errno. */
int nft_watch_open(void);
/** nft_watch_read() - read all notifications. Return: true if our table may be gone. */
bool nft_watch_read(int fd);

#endif
