/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_ORDER_SET_H
#define DAEMON_ORDER_SET_H

/*
 * DOC: The set of accepted orders
 *
 * An order number runs at most once in the life of a runbookd, so steps.c remembers every
 * number that it accepted. The scheduler counts upwards: stored as intervals, millions of
 * numbers take a handful of entries. Only order_set_add() can fail.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_INTERVALS_MAX 100000

struct order_interval {
	uint64_t first, last;
};

/** struct order_set - all zeroes is the empty set */
struct order_set {
	struct order_interval *intervals; /* sorted, at least one number between two of them */
	size_t n_intervals, room;
};

/**
 * order_set_add() - add @order
 *
 * Return: 0; -EEXIST when it is in @set already; -ENOMEM; -ENOSPC beyond
 * ORDER_INTERVALS_MAX intervals.
 */
int order_set_add(struct order_set *set, uint64_t order);
/** order_set_has() - is @order in @set? */
bool order_set_has(const struct order_set *set, uint64_t order);
/** order_set_done() - free its memory; @set is empty then */
void order_set_done(struct order_set *set);

#endif
