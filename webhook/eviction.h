/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_EVICTION_H
#define WEBHOOK_EVICTION_H

/*
 * DOC: Which connection gives way
 *
 * A listener has a fixed number of places. When all are taken, a new connection
 * gets the place of one that costs its sender next to nothing to hold: first of
 * those without a complete header, then of those whose body or answer has come
 * to a halt. Connections that are so new that their header or body may be on its
 * way are spared, unless their sender has many of these. A connection whose
 * header is complete and whose body flows keeps its place in any case.
 *
 * Among those the oldest of the fullest group goes. A group is an IPv4 address;
 * in IPv6 the fullest /48 is taken, in it the fullest /64, in it the fullest
 * address: who has a network has more addresses than we have places. So a sender
 * with one connection loses it last, however many others an attacker opens.
 *
 * Everything here is plain computation on an array.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define EVICTION_NONE SIZE_MAX

/** struct address_key - an address in the form in which addresses are compared */
struct address_key {
	uint8_t bytes[16]; /* IPv6, or IPv4 mapped into it; all zero: this host */
};

/**
 * address_key() - the key of @address
 *
 * All of 127.0.0.0/8, ::1, both as IPv4-mapped addresses, unix sockets and an
 * unknown family have one key: this host.
 */
struct address_key address_key(const struct sockaddr *address);
/** address_is_local() - is it this host? */
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

/** struct occupant - one connection, as far as the choice goes */
struct occupant {
	struct address_key key;
	enum eviction_rank rank;
	uint64_t since_usec; /* the smaller, the older */
	void *userdata;
};

/**
 * eviction_choose() - who gives way
 * @occupants: put into another order by this function
 *
 * Return: index in @occupants as they are afterwards, or EVICTION_NONE when no
 * connection may go.
 */
size_t eviction_choose(struct occupant *occupants, size_t n_occupants);

#endif
