/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_BODY_H
#define WEBHOOK_BODY_H

/*
 * A request's body in memory. It grows with what has arrived, never with what
 * was announced, and all bodies together stay within a budget. The first bytes
 * of each are not charged: the number of connections bounds them, and a usual
 * delivery is not refused because of a few large ones.
 */

#include <stdatomic.h>
#include <stddef.h>

struct body_budget {
	atomic_size_t used;
	size_t max;
	size_t free_each; /* bytes of each body that are not charged */
};

/** struct body - @data is NUL-terminated after @size bytes once anything was appended */
struct body {
	char *data;
	size_t size;
	size_t capacity; /* charged to the budget, but for its free_each */
};

/**
 * body_append() - take @size more bytes
 * @limit: most bytes of the whole body
 *
 * Return: 0, -EFBIG (over @limit), -ENOBUFS (over the budget), -ENOMEM. The body
 * is unchanged then.
 */
int body_append(struct body *body, struct body_budget *budget, const void *data, size_t size,
		size_t limit);
/** body_release() - free it and give the budget back; no-op when empty */
void body_release(struct body *body, struct body_budget *budget);

#endif
