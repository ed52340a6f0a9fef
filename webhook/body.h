/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_BODY_H
#define WEBHOOK_BODY_H

/*
 * DOC: Request bodies and their budget
 *
 * The body of a request is collected in memory. Its buffer grows with the bytes
 * that arrived, never with the announced length, so an announcement costs nothing.
 * All bodies together stay within a budget, which all HTTP threads share. The first
 * bytes of each body are not charged: the number of connections bounds them, and so
 * a delivery of ordinary size is not refused because of a few large ones.
 */

#include <stdatomic.h>
#include <stddef.h>

/** struct body_budget - bytes that all bodies may use together; any thread, no lock */
struct body_budget {
	atomic_size_t used;
	size_t max;
	size_t free_each; /* bytes of each body that are not charged */
};

/** struct body - @data is NUL-terminated after @size bytes once anything was appended */
struct body {
	char *data;
	size_t size;
	size_t capacity; /* charged to the budget, except for the first free_each bytes */
};

/**
 * body_append() - append a copy of @size bytes
 * @limit: most bytes of the whole body
 *
 * Return: 0, or -EFBIG (over @limit), -ENOBUFS (over the budget) or -ENOMEM, which
 * leave the body unchanged.
 */
int body_append(struct body *body, struct body_budget *budget, const void *data, size_t size,
		size_t limit);
/** body_release() - free the buffer and return its bytes to the budget; may be empty */
void body_release(struct body *body, struct body_budget *budget);

#endif
