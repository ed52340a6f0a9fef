/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NETWORK_RULE_H
#define COMMON_NETWORK_RULE_H

/*
 * DOC: Destinations that a step may reach
 *
 * A rule is written as
 *
 *   ADDRESS[/BITS][:PORT[-PORT][/tcp|/udp]]
 *
 * An IPv6 address that is followed by a port is in brackets, with its bits:
 * [2a00:1450::/32]:443. No port means every port and protocol; a port without a protocol means
 * tcp.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_RULE_TEXT_MAX 80
#define NETWORK_RULE_BYTES 24
#define NETWORK_RULES_MAX 64	   /* as written, for one step from one source */
#define NETWORK_RULES_TIDY_MAX 256 /* the same after network_rules_tidy() */

/** struct network_rule - a range of addresses, protocols and ports, with both ends */
struct network_rule {
	uint8_t version; /* 4 or 6 */
	uint8_t bits;
	uint8_t protocol_first, protocol_last; /* IPPROTO_* */
	uint16_t port_first, port_last;
	uint8_t address[16]; /* network byte order, IPv4 in the first four */
};

/** network_rule_parse() - parse one rule. Return: 0; -EINVAL with @error naming the fix. */
int network_rule_parse(const char *text, struct network_rule *ret_rule, struct error *error);

/** network_rule_pack() - write @rule as NETWORK_RULE_BYTES at @out, for a message */
void network_rule_pack(const struct network_rule *rule, uint8_t *out);
/** network_rule_unpack() - read it. Return: 0; -EINVAL unless the parser could have made it. */
int network_rule_unpack(const uint8_t *data, struct network_rule *ret_rule);

/**
 * network_rules_tidy() - write the same destinations without overlap, widest first
 * @out: room for @max rules, which may be more than @n, because a range may be split
 *
 * nftables rejects overlapping ranges within one set. Return: number of rules, or -ENOSPC.
 */
int network_rules_tidy(const struct network_rule *rules, size_t n, struct network_rule *out,
		       size_t max);

/** network_rule_last() - the highest address of the range, in the format of .address */
void network_rule_last(const struct network_rule *rule, uint8_t *ret_address);

#endif
