/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_ORDER_SET_H
#define DAEMON_ORDER_SET_H

/*
 * Every order number that was ever accepted: one runs at most once in the
 * daemon's life. The scheduler counts upwards, so the set is kept as intervals
 * and stays at a handful of them after millions of steps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_INTERVALS_MAX 100000

struct order_interval {
	uint64_t first, last;
};

struct order_set {
	struct order_interval *intervals; /* sorted, apart by at least one number */
	size_t n_intervals, room;
};

/** order_set_add() - Return: 0; -EEXIST when it is in already; -ENOMEM, -ENOSPC */
int order_set_add(struct order_set *set, uint64_t order);
bool order_set_has(const struct order_set *set, uint64_t order);
void order_set_done(struct order_set *set);

#endif
