/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/order_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first interval that ends at @order or above. */
static size_t find(const struct order_set *set, uint64_t order)
{
	size_t low = 0;
	size_t high = set->n_intervals;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->intervals[middle].last < order)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool order_set_has(const struct order_set *set, uint64_t order)
{
	size_t at = find(set, order);

	return at < set->n_intervals && set->intervals[at].first <= order;
}

static int make_room(struct order_set *set)
{
	struct order_interval *grown;
	size_t room = set->room ? set->room * 2 : 16;

	if (set->intervals && set->n_intervals < set->room)
		return 0;
	if (set->n_intervals >= ORDER_INTERVALS_MAX)
		return -ENOSPC;
	grown = reallocarray(set->intervals, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	set->intervals = grown;
	set->room = room;
	return 0;
}

int order_set_add(struct order_set *set, uint64_t order)
{
	size_t at = find(set, order);
	struct order_interval *next = at < set->n_intervals ? &set->intervals[at] : NULL;
	struct order_interval *previous = at > 0 ? &set->intervals[at - 1] : NULL;
	int r;

	if (next && next->first <= order)
		return -EEXIST;
	if (previous && previous->last + 1 == order) {
		previous->last = order;
		if (next && next->first == order + 1) {
			previous->last = next->last;
			memmove(next, next + 1, (set->n_intervals - at - 1) * sizeof(*next));
			set->n_intervals--;
		}
		return 0;
	}
	if (next && next->first == order + 1) {
		next->first = order;
		return 0;
	}
	r = make_room(set);
	if (r < 0)
		return r;
	if (at < set->n_intervals)
		memmove(&set->intervals[at + 1], &set->intervals[at],
			(set->n_intervals - at) * sizeof(set->intervals[0]));
	set->intervals[at] = (struct order_interval){order, order};
	set->n_intervals++;
	return 0;
}

void order_set_done(struct order_set *set)
{
	free(set->intervals);
	*set = (struct order_set){.intervals = NULL};
}
