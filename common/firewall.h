/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FIREWALL_H
#define COMMON_FIREWALL_H

/*
 * Whether the host's own firewall drops what steps with network "egress" send.
 * An accept in our table does not help: each chain at the same place has its
 * say, and one drop is enough. What others made is looked at, never changed.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum firewall_kind {
	FIREWALL_NONE,	    /* nothing is in the way */
	FIREWALL_NFTABLES,  /* a chain at the forward hook drops what it does not know */
	FIREWALL_IPTABLES,  /* the same, made by iptables; ufw does it, too */
	FIREWALL_DOCKER,    /* the same, with Docker's chain for rules of the host's own */
	FIREWALL_FIREWALLD, /* rejects what belongs to no zone */
};

/** struct firewall - what is in the way */
struct firewall {
	enum firewall_kind kind;
	char family[8]; /* as nft writes it */
	char table[64];
	char chain[64];
};

/**
 * firewall_look() - ask the kernel, in our own network namespace
 *
 * Needs CAP_NET_ADMIN. Rules of the old iptables (iptables-legacy) are not seen.
 * Who has a rule about links named rbk* has thought of it: that is FIREWALL_NONE.
 *
 * Return: 0; -errno when the kernel does not answer.
 */
int firewall_look(struct firewall *ret_firewall);
/** firewall_describe() - one sentence about what is in the way; firewall_fix() - the command */
void firewall_describe(const struct firewall *firewall, char *text, size_t size);
void firewall_fix(const struct firewall *firewall, char *text, size_t size);

#endif
