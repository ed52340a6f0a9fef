/* SPDX-License-Identifier: Apache-2.0 */
#include "common/network_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static unsigned address_bits(const struct network_rule *rule)
{
	return rule->version == 4 ? 32 : 128;
}

/* Clears or sets the bits after the prefix. Return: whether any bit changed. */
static bool host_bits_set(const struct network_rule *rule, uint8_t *address, bool value)
{
	bool changed = false;

	for (unsigned bit = rule->bits; bit < address_bits(rule); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if (((address[bit / 8] & mask) != 0) == value)
			continue;
		address[bit / 8] ^= mask;
		changed = true;
	}
	return changed;
}

/* Parses digits only: no sign, no blank. */
static int number_parse(const char *text, size_t length, unsigned maximum, unsigned *ret_number)
{
	unsigned number = 0;

	if (length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (unsigned)(text[i] - '0');
	}
	*ret_number = number;
	return number <= maximum ? 0 : -EINVAL;
}

static int prefix_parse(const char *text, size_t length, struct network_rule *rule,
			struct error *error)
{
	const char *slash = memchr(text, '/', length);
	size_t size = slash ? (size_t)(slash - text) : length;
	char address[INET6_ADDRSTRLEN], fixed[INET6_ADDRSTRLEN];
	unsigned bits;

	if (size >= sizeof(address))
		return error_set(error, EINVAL, "\"%.*s\" is not an IP address", (int)length, text);
	memcpy(address, text, size);
	address[size] = '\0';
	if (inet_pton(AF_INET, address, rule->address) == 1)
		rule->version = 4;
	else if (inet_pton(AF_INET6, address, rule->address) == 1)
		rule->version = 6;
	else
		return error_set(error, EINVAL,
				 "\"%s\" is not an IP address: names are not followed, because "
				 "their addresses change",
				 address);
	bits = address_bits(rule);
	if (slash && number_parse(slash + 1, length - size - 1, bits, &bits) < 0)
		return error_set(error, EINVAL, "\"%.*s\": after the / stands a number up to %u",
				 (int)length, text, address_bits(rule));
	rule->bits = (uint8_t)bits;
	if (host_bits_set(rule, rule->address, false)) {
		(void)inet_ntop(rule->version == 4 ? AF_INET : AF_INET6, rule->address, fixed,
				sizeof(fixed));
		return error_set(error, EINVAL,
				 "\"%.*s\" is an address within a network: write %s/%u for the "
				 "network, or %s for the address",
				 (int)length, text, fixed, bits, address);
	}
	return 0;
}

static int ports_parse(const char *text, struct network_rule *rule, struct error *error)
{
	const char *protocol = strchr(text, '/');
	size_t length = protocol ? (size_t)(protocol - text) : strlen(text);
	const char *dash = memchr(text, '-', length);
	size_t first_length = dash ? (size_t)(dash - text) : length;
	unsigned first, last;

	if (number_parse(text, first_length, 65535, &first) < 0 || first == 0)
		return error_set(error, EINVAL, "\"%s\" is not a port from 1 to 65535", text);
	last = first;
	if (dash &&
	    (number_parse(dash + 1, length - first_length - 1, 65535, &last) < 0 || last < first))
		return error_set(error, EINVAL, "\"%s\" is not a range of ports", text);
	rule->port_first = (uint16_t)first;
	rule->port_last = (uint16_t)last;
	rule->protocol_first = IPPROTO_TCP;
	if (protocol && strcmp(protocol, "/udp") == 0)
		rule->protocol_first = IPPROTO_UDP;
	else if (protocol && strcmp(protocol, "/tcp") != 0)
		return error_set(error, EINVAL, "\"%s\": the protocol is /tcp or /udp", text);
	rule->protocol_last = rule->protocol_first;
	return 0;
}

int network_rule_parse(const char *text, struct network_rule *ret_rule, struct error *error)
{
	struct network_rule rule = {.protocol_last = 255, .port_last = 65535};
	const char *end, *ports = NULL;
	size_t length = strlen(text);
	int r;

	if (length >= NETWORK_RULE_TEXT_MAX)
		return error_set(error, EINVAL, "the destination is longer than %d bytes",
				 NETWORK_RULE_TEXT_MAX - 1);
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return error_set(error, EINVAL, "\"%s\" is written [ADDRESS/BITS]:PORT",
					 text);
		ports = end[1] == ':' ? end + 2 : NULL;
		text++;
	} else {
		/* one colon is a port, more are an IPv6 address */
		end = strchr(text, ':');
		if (end && strchr(end + 1, ':'))
			end = NULL;
		ports = end ? end + 1 : NULL;
		end = end ? end : text + length;
	}
	r = prefix_parse(text, (size_t)(end - text), &rule, error);
	if (r == 0 && ports)
		r = ports_parse(ports, &rule, error);
	if (r == 0)
		*ret_rule = rule;
	return r;
}

void network_rule_pack(const struct network_rule *rule, uint8_t *out)
{
	const uint8_t head[8] = {
		rule->version,
		rule->bits,
		rule->protocol_first,
		rule->protocol_last,
		(uint8_t)(rule->port_first >> 8),
		(uint8_t)rule->port_first,
		(uint8_t)(rule->port_last >> 8),
		(uint8_t)rule->port_last,
	};

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), rule->address, sizeof(rule->address));
}

int network_rule_unpack(const uint8_t *data, struct network_rule *ret_rule)
{
	struct network_rule rule = {
		.version = data[0],
		.bits = data[1],
		.protocol_first = data[2],
		.protocol_last = data[3],
		.port_first = (uint16_t)(data[4] << 8 | data[5]),
		.port_last = (uint16_t)(data[6] << 8 | data[7]),
	};
	bool one = rule.protocol_first == rule.protocol_last &&
		   (rule.protocol_first == IPPROTO_TCP || rule.protocol_first == IPPROTO_UDP) &&
		   rule.port_first > 0;
	bool every = rule.protocol_first == 0 && rule.protocol_last == 255 &&
		     rule.port_first == 0 && rule.port_last == 65535;

	memcpy(rule.address, data + 8, sizeof(rule.address));
	if ((rule.version != 4 && rule.version != 6) || rule.bits > address_bits(&rule) ||
	    rule.port_first > rule.port_last || (!one && !every) ||
	    host_bits_set(&rule, rule.address, false))
		return -EINVAL;
	*ret_rule = rule;
	return 0;
}

void network_rule_last(const struct network_rule *rule, uint8_t *ret_address)
{
	memcpy(ret_address, rule->address, sizeof(rule->address));
	(void)host_bits_set(rule, ret_address, true);
}

/* ---- removing overlaps ---- */

static bool rule_is_any(const struct network_rule *rule)
{
	return rule->protocol_first != rule->protocol_last;
}

/* @wide is earlier in the order, so its prefix is not longer than that of @rule. */
static bool overlap(const struct network_rule *wide, const struct network_rule *rule)
{
	struct network_rule cut = *rule;

	if (wide->version != rule->version)
		return false;
	cut.bits = wide->bits;
	(void)host_bits_set(&cut, cut.address, false);
	if (memcmp(cut.address, wide->address, sizeof(cut.address)) != 0)
		return false;
	if (rule_is_any(wide) || rule_is_any(rule))
		return true;
	return wide->protocol_first == rule->protocol_first &&
	       wide->port_first <= rule->port_last && rule->port_first <= wide->port_last;
}

struct tidy {
	struct network_rule *out;
	size_t n, max;
};

/* Adds the parts of @rule that no earlier rule covers. */
static int tidy_add(struct tidy *tidy, const struct network_rule *rule)
{
	for (size_t i = 0; i < tidy->n; i++) {
		const struct network_rule *wide = &tidy->out[i];
		struct network_rule part = *rule;
		int r = 0;

		if (!overlap(wide, rule))
			continue;
		if (rule_is_any(wide))
			return 0;
		/* a smaller network for all ports: neither of its ends is in @wide, so keep it */
		if (rule_is_any(rule))
			continue;
		if (rule->port_first < wide->port_first) {
			part.port_last = (uint16_t)(wide->port_first - 1);
			r = tidy_add(tidy, &part);
		}
		if (r == 0 && rule->port_last > tidy->out[i].port_last) {
			part.port_first = (uint16_t)(tidy->out[i].port_last + 1);
			part.port_last = rule->port_last;
			r = tidy_add(tidy, &part);
		}
		return r;
	}
	if (tidy->n == tidy->max)
		return -ENOSPC;
	tidy->out[tidy->n++] = *rule;
	return 0;
}

int network_rules_tidy(const struct network_rule *rules, size_t n, struct network_rule *out,
		       size_t max)
{
	struct tidy tidy = {.out = out, .max = max};

	for (unsigned key = 0; key <= 2 * 128 + 1; key++) {
		for (size_t i = 0; i < n; i++) {
			/* short prefixes first; of equal ones, first those for all ports */
			if (2U * rules[i].bits + !rule_is_any(&rules[i]) != key)
				continue;
			if (tidy_add(&tidy, &rules[i]) < 0)
				return -ENOSPC;
		}
	}
	return (int)tidy.n;
}
