/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FIREWALL_H
#define COMMON_FIREWALL_H

/*
 * DOC: The host's own firewall
 *
 * Detects whether another firewall on the host drops packets of steps with network "egress". An
 * accept in our table does not help against that: every chain at the same hook sees the packet,
 * and one drop is enough. Chains of other programs are only read, never changed.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/** enum firewall_kind - the program that made the chain, which decides about the fix */
enum firewall_kind {
	FIREWALL_NONE,	    /* no chain drops packets of steps */
	FIREWALL_NFTABLES,  /* a chain at the forward hook drops by default */
	FIREWALL_IPTABLES,  /* the same, made by iptables or ufw */
	FIREWALL_DOCKER,    /* the same, with Docker's chain for rules of the administrator */
	FIREWALL_FIREWALLD, /* rejects packets of interfaces in no zone */
};

/** struct firewall - the chain that drops packets of steps */
struct firewall {
	enum firewall_kind kind;
	char family[8]; /* in nft's notation */
	char table[64];
	char chain[64];
};

/**
 * firewall_probe() - read the kernel's nftables rules in our own network namespace
 *
 * Needs CAP_NET_ADMIN. Rules of iptables-legacy are not seen. A chain with a rule about links
 * named rbk* counts as FIREWALL_NONE: its administrator has considered steps.
 *
 * Return: 0; -errno if the kernel does not answer.
 */
int firewall_probe(struct firewall *ret_firewall);
/** firewall_describe() - a sentence about the chain; firewall_fix() - a command that helps */
void firewall_describe(const struct firewall *firewall, char *text, size_t size);
void firewall_fix(const struct firewall *firewall, char *text, size_t size);

#endif
