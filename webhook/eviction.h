/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_EVICTION_H
#define WEBHOOK_EVICTION_H

/*
 * DOC: Which connection is evicted
 *
 * A listener has a fixed number of places. When all are taken, a new connection
 * gets the place of an old one that costs its sender next to nothing to hold: first
 * of those without a complete header, then of those whose body or answer has come
 * to a halt. Connections that are so new that their header or body may be on its
 * way are spared, unless their sender has many of them. A connection whose header
 * is complete and whose body flows is never evicted.
 *
 * Among the candidates the oldest connection of the largest group is evicted. In
 * IPv4 a group is an address. In IPv6 it is the largest /48, within it the largest
 * /64, within that the largest address, because the owner of a network has more
 * addresses than a listener has places. So a sender with a single connection loses
 * it last, however many others an attacker opens.
 *
 * connection.c calls this with the table locked. It is plain computation on an
 * array: no I/O, no memory, no failure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EVICTION_NONE SIZE_MAX

/** struct address_key - key of the per-address limits */
struct address_key {
	uint8_t bytes[16]; /* IPv6, or IPv4 mapped into it; all zero: this host */
};

/**
 * address_key() - the key of @address
 *
 * 127.0.0.0/8 (also as IPv4-mapped IPv6), ::1, unix sockets, unknown families and
 * NULL share one key, which stands for this host.
 */
struct address_key address_key(const struct sockaddr *address);
/** address_is_local() - is it the key of this host? */
bool address_is_local(const struct address_key *key);
/** address_same_network() - the same IPv4 address, or the same IPv6 /64? */
bool address_same_network(const struct address_key *a, const struct address_key *b);

enum eviction_rank {
	EVICTION_HEADER = 1 << 0, /* the header is not complete, or no request is under way */
	EVICTION_HALTED = 1 << 1, /* neither the body nor the answer moves */
	EVICTION_FRESH = 1 << 2,  /* the header may be on its way */
	EVICTION_YOUNG = 1 << 3,  /* the body may still begin to move */
	EVICTION_NEVER = 1 << 4,
};

/** struct occupant - one connection, reduced to what the choice depends on */
struct occupant {
	struct address_key key;
	enum eviction_rank rank;
	uint64_t since_usec; /* the smaller, the older */
	void *userdata;
};

/**
 * eviction_choose() - choose the connection to evict
 * @occupants: reordered by this function
 *
 * Return: index in the reordered @occupants, or EVICTION_NONE when no connection
 * may be evicted.
 */
size_t eviction_choose(struct occupant *occupants, size_t n_occupants);

#endif
