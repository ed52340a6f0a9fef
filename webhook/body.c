/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/body.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BODY_CAPACITY_MIN 4096

static bool budget_take(struct body_budget *budget, size_t size)
{
	size_t before = atomic_fetch_add(&budget->used, size);

	if (before <= budget->max && size <= budget->max - before)
		return true;
	(void)atomic_fetch_sub(&budget->used, size);
	return false;
}

/* Bytes of a body with this @capacity that count against the budget. */
static size_t charge(const struct body_budget *budget, size_t capacity)
{
	return capacity > budget->free_each ? capacity - budget->free_each : 0;
}

static int body_grow(struct body *body, struct body_budget *budget, size_t need, size_t limit)
{
	size_t capacity = body->capacity ? body->capacity : BODY_CAPACITY_MIN;
	char *data;

	while (capacity < need)
		capacity *= 2;
	if (capacity > limit + 1)
		capacity = limit + 1;
	if (!budget_take(budget, charge(budget, capacity) - charge(budget, body->capacity)))
		return -ENOBUFS;
	data = realloc(body->data, capacity);
	if (!data) {
		(void)atomic_fetch_sub(&budget->used,
				       charge(budget, capacity) - charge(budget, body->capacity));
		return -ENOMEM;
	}
	body->data = data;
	body->capacity = capacity;
	return 0;
}

int body_append(struct body *body, struct body_budget *budget, const void *data, size_t size,
		size_t limit)
{
	if (size > limit || body->size > limit - size)
		return -EFBIG;
	if (body->size + size + 1 > body->capacity) {
		int r = body_grow(body, budget, body->size + size + 1, limit);

		if (r < 0)
			return r;
	}
	memcpy(body->data + body->size, data, size);
	body->size += size;
	body->data[body->size] = '\0';
	return 0;
}

void body_release(struct body *body, struct body_budget *budget)
{
	free(body->data);
	(void)atomic_fetch_sub(&budget->used, charge(budget, body->capacity));
	*body = (struct body){.data = NULL};
}
