/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NFT_NETLINK_H
#define SANDBOX_HOST_NFT_NETLINK_H

/*
 * What is asked of nftables often, or while a step waits, without running
 * nft(8): is the table there, elements of its sets, and news of its removal.
 */

#include "common/error.h"
#include "common/network_rule.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** nft_table_present() - false also when the kernel gives no answer */
bool nft_table_present(void);

/**
 * struct nft_listed - destinations of one step
 * @address: the step's, network byte order
 * @only:    sets only4/only6, otherwise allow4/allow6
 */
struct nft_listed {
	in_addr_t address;
	struct in6_addr address6;
	bool only;
	const struct network_rule *rules;
	size_t n_rules;
};

/**
 * nft_elements_add() - in one transaction; none are there when it fails
 *
 * Rules that overlap are fine for one step as long as none is given twice.
 * Return: 0 or -errno with @error.
 */
int nft_elements_add(const struct nft_listed *listed, struct error *error);
/** nft_elements_delete() - those that are there; a table that is gone is fine */
void nft_elements_delete(const struct nft_listed *listed);

/** nft_watch_open() - a socket that is readable when tables change. Return: fd or -errno. */
int nft_watch_open(void);
/** nft_watch_read() - empty it. Return: true when our table may have gone. */
bool nft_watch_read(int fd);

#endif
