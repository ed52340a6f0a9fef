/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/eviction.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const struct address_key *key)
{
	return memcmp(key->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

struct address_key address_key(const struct sockaddr *address)
{
	static const struct address_key local = {.bytes = {0}};
	struct address_key key = local;

	if (address && address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;

		memcpy(key.bytes, mapped_prefix, sizeof(mapped_prefix));
		memcpy(key.bytes + sizeof(mapped_prefix), &in->sin_addr, sizeof(in->sin_addr));
	} else if (address && address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		memcpy(key.bytes, &in6->sin6_addr, sizeof(key.bytes));
		if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
			return local;
	}
	return is_ipv4(&key) && key.bytes[12] == 127 ? local : key;
}

bool address_is_local(const struct address_key *key)
{
	static const struct address_key local = {.bytes = {0}};

	return memcmp(key, &local, sizeof(*key)) == 0;
}

/* Are the first @length bytes equal? IPv4 addresses are compared as a whole. */
static bool same_prefix(const struct address_key *a, const struct address_key *b, size_t length)
{
	if (is_ipv4(a) || is_ipv4(b))
		length = sizeof(a->bytes);
	return memcmp(a->bytes, b->bytes, length) == 0;
}

bool address_same_network(const struct address_key *a, const struct address_key *b)
{
	return same_prefix(a, b, 8);
}

/* ---- the choice ---- */

/* Order by address, which makes each prefix one contiguous stretch, then by age. */
static int occupant_compare(const void *a, const void *b)
{
	const struct occupant *one = a, *two = b;
	int order = memcmp(&one->key, &two->key, sizeof(one->key));

	if (order != 0)
		return order;
	return one->since_usec < two->since_usec ? -1 : one->since_usec > two->since_usec;
}

struct stretch {
	size_t begin, end;
	uint64_t oldest_usec;
};

/* The largest group in @within with a common prefix of @length bytes; a tie goes to the oldest. */
static struct stretch fullest(const struct occupant *occupants, struct stretch within,
			      size_t length)
{
	struct stretch best = {.begin = within.begin, .end = within.begin};

	for (size_t i = within.begin; i < within.end;) {
		struct stretch group = {.begin = i, .oldest_usec = UINT64_MAX};

		for (; i < within.end &&
		       same_prefix(&occupants[group.begin].key, &occupants[i].key, length);
		     i++) {
			if (occupants[i].since_usec < group.oldest_usec)
				group.oldest_usec = occupants[i].since_usec;
		}
		group.end = i;
		if (group.end - group.begin > best.end - best.begin ||
		    (group.end - group.begin == best.end - best.begin &&
		     group.oldest_usec < best.oldest_usec))
			best = group;
	}
	return best;
}

/* Move the occupants with one of @ranks to the front. Return: their number. */
static size_t gather(struct occupant *occupants, size_t n_occupants, unsigned ranks)
{
	size_t n = 0;

	for (size_t i = 0; i < n_occupants; i++) {
		struct occupant one = occupants[i];

		if (!(one.rank & ranks))
			continue;
		occupants[i] = occupants[n];
		occupants[n++] = one;
	}
	return n;
}

size_t eviction_choose(struct occupant *occupants, size_t n_occupants)
{
	static const size_t lengths[] = {6, 8, 16}; /* /48, /64, address */
	static const struct {
		unsigned ranks;
		size_t group_min; /* smaller groups are spared */
	} rounds[] = {
		{EVICTION_HEADER | EVICTION_FRESH, WEBHOOK_CONNECTIONS_FEW + 1},
		{EVICTION_HEADER, 1},
		{EVICTION_HALTED, 1},
		{EVICTION_FRESH | EVICTION_YOUNG, WEBHOOK_CONNECTIONS_FEW + 1},
		{EVICTION_FRESH, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		struct stretch group = {
			.end = gather(occupants, n_occupants, rounds[i].ranks),
		};

		qsort(occupants, group.end, sizeof(*occupants), occupant_compare);
		group = fullest(occupants, group, lengths[0]);
		if (group.end - group.begin < rounds[i].group_min)
			continue;
		for (size_t j = 1; j < ARRAY_SIZE(lengths); j++)
			group = fullest(occupants, group, lengths[j]);
		return group.begin;
	}
	return EVICTION_NONE;
}
