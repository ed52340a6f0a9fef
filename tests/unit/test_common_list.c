/* SPDX-License-Identifier: Apache-2.0 */
/* common/list.h by examples, then compared with a plain array. */
#include "common/cleanup.h"
#include "common/list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_OBJECTS 24

struct object {
	int number;
	struct list_node other, node; /* the node is not the first member */
};

static void numbers_expect(const struct list *list, const int *numbers, size_t n)
{
	const struct object *object;
	const struct list_node *node = list->last;
	size_t i = 0;

	list_each (object, list, node) {
		assert_true(i < n);
		assert_int_equal(object->number, numbers[i++]);
		assert_true(list_linked(&object->node));
		assert_false(list_linked(&object->other));
	}
	assert_int_equal(i, n);
	for (; node; node = node->previous)
		assert_int_equal(list_entry(node, struct object, node)->number, numbers[--i]);
	assert_int_equal(i, 0);
	assert_int_equal(list_empty(list), n == 0);
}

#define EXPECT(list, ...)                                                                          \
	numbers_expect((list), (const int[]){__VA_ARGS__},                                         \
		       sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void test_order(void **state)
{
	struct object objects[5] = {{0}};
	struct list list = {0};

	for (int i = 0; i < 5; i++)
		objects[i].number = i;
	numbers_expect(&list, NULL, 0);
	assert_null(list_pop(&list));
	list_append(&list, &objects[2].node);
	EXPECT(&list, 2);
	list_append(&list, &objects[3].node);
	list_prepend(&list, &objects[0].node);
	list_insert(&list, &objects[1].node, &objects[2].node);
	list_insert(&list, &objects[4].node, NULL);
	EXPECT(&list, 0, 1, 2, 3, 4);
	list_remove(&objects[0].node);
	list_remove(&objects[4].node);
	list_remove(&objects[2].node);
	EXPECT(&list, 1, 3);
	list_remove(&objects[2].node); /* no-op */
	EXPECT(&list, 1, 3);
	assert_ptr_equal(list_pop(&list), &objects[1].node);
	assert_ptr_equal(list_pop(&list), &objects[3].node);
	numbers_expect(&list, NULL, 0);
	/* a removed object can be added again */
	list_append(&list, &objects[3].node);
	EXPECT(&list, 3);
}

static void test_two_lists(void **state)
{
	struct object object = {.number = 7};
	struct list a = {0}, b = {0};

	list_append(&a, &object.node);
	list_append(&b, &object.other);
	list_remove(&object.other);
	assert_true(list_empty(&b));
	EXPECT(&a, 7);
	list_remove(&object.node);
	assert_true(list_empty(&a));
	assert_false(list_linked(&object.node));
}

static void test_free_while_walking(void **state)
{
	struct list list = {0};
	struct object *object, *following;
	int n = 0;

	for (int i = 0; i < 10; i++) {
		object = calloc(1, sizeof(*object));
		assert_non_null(object);
		object->number = i;
		list_append(&list, &object->node);
	}
	list_each_safe (object, following, &list, node) {
		if (object->number % 2 == 0)
			continue;
		list_remove(&object->node);
		free(object);
	}
	EXPECT(&list, 0, 2, 4, 6, 8);
	list_each_safe (object, following, &list, node) {
		list_remove(&object->node);
		free(object);
		n++;
	}
	assert_int_equal(n, 5);
	numbers_expect(&list, NULL, 0);
}

/* The same random operations on a list and on an array. */
static void test_model(void **state)
{
	struct object objects[N_OBJECTS];
	int numbers[N_OBJECTS];
	struct list list = {0};
	uint64_t chance = 1;
	size_t n = 0;

	memset(objects, 0, sizeof(objects));
	for (int i = 0; i < N_OBJECTS; i++)
		objects[i].number = i;
	for (int act = 0; act < 20000; act++) {
		struct object *object;
		size_t at = 0;

		chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
		object = &objects[(chance >> 33) % N_OBJECTS];
		while (at < n && numbers[at] != object->number)
			at++;
		assert_int_equal(list_linked(&object->node), at < n);
		if (at < n) {
			list_remove(&object->node);
			n--;
			memmove(&numbers[at], &numbers[at + 1], (n - at) * sizeof(numbers[0]));
		} else {
			size_t to = (chance >> 20) % (n + 1);

			list_insert(&list, &object->node,
				    to < n ? &objects[numbers[to]].node : NULL);
			memmove(&numbers[to + 1], &numbers[to], (n - to) * sizeof(numbers[0]));
			numbers[to] = object->number;
			n++;
		}
		numbers_expect(&list, numbers, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_two_lists),
		cmocka_unit_test(test_free_while_walking),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
