/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of states, and the map of runs and orders. */
#include "scheduler/model/map.h"
#include "scheduler/store/states.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

static void test_names(void **state)
{
	for (unsigned i = 0; i < RUN_STATE_NUM; i++)
		assert_int_equal(run_state_parse(run_state_name((enum run_state)i)), i);
	for (unsigned i = 0; i < STEP_STATE_NUM; i++)
		assert_int_equal(step_state_parse(step_state_name((enum step_state)i)), i);
	assert_int_equal(run_state_parse("no such"), RUN_STATE_NUM);
	assert_int_equal(step_state_parse(""), STEP_STATE_NUM);
	assert_string_equal(run_state_name(RUN_STATE_NUM), "invalid");
}

static void test_runs(void **state)
{
	assert_true(run_state_allowed(RUN_STATE_PENDING, RUN_STATE_RUNNING));
	assert_true(run_state_allowed(RUN_STATE_PENDING, RUN_STATE_FAILED));
	assert_true(run_state_allowed(RUN_STATE_PENDING, RUN_STATE_SUCCEEDED));
	assert_false(run_state_allowed(RUN_STATE_RUNNING, RUN_STATE_PENDING));
	assert_false(run_state_allowed(RUN_STATE_NUM, RUN_STATE_PENDING));
	for (unsigned i = 0; i < RUN_STATE_NUM; i++) {
		assert_false(run_state_allowed((enum run_state)i, (enum run_state)i));
		/* only a retry leaves a final state */
		for (unsigned j = 0; run_state_final((enum run_state)i) && j < RUN_STATE_NUM; j++)
			assert_int_equal(run_state_allowed((enum run_state)i, (enum run_state)j),
					 j == RUN_STATE_RUNNING || (j == RUN_STATE_PENDING &&
								    i != RUN_STATE_SUCCEEDED));
	}
}

static void test_steps(void **state)
{
	assert_false(step_state_allowed(STEP_STATE_PENDING, STEP_STATE_RUNNING));
	assert_true(step_state_allowed(STEP_STATE_READY, STEP_STATE_RUNNING));
	assert_false(step_state_allowed(STEP_STATE_READY, STEP_STATE_SUCCEEDED));
	assert_false(step_state_allowed(STEP_STATE_RUNNING, STEP_STATE_SKIPPED));
	for (unsigned i = 0; i < STEP_STATE_NUM; i++) {
		for (unsigned j = 0; step_state_final((enum step_state)i) && j < STEP_STATE_NUM;
		     j++)
			assert_int_equal(step_state_allowed((enum step_state)i, (enum step_state)j),
					 j == STEP_STATE_PENDING);
	}
}

/* Against a plain array, with colliding keys and many removals. */
static void test_map(void **state)
{
	static char values[512];
	static bool present[512];
	struct map map = {0};

	assert_null(map_get(&map, 1));
	map_remove(&map, 1);
	for (unsigned seed = 1; seed < 20; seed++) {
		srand(seed);
		for (int i = 0; i < 5000; i++) {
			size_t at = (size_t)(rand() % 512);
			uint64_t key = (at + 1) << (seed % 8);

			if (rand() % 2) {
				assert_int_equal(map_put(&map, key, &values[at]), 0);
				present[at] = true;
			} else {
				map_remove(&map, key);
				present[at] = false;
			}
			at = (size_t)(rand() % 512);
			key = (at + 1) << (seed % 8);
			assert_ptr_equal(map_get(&map, key), present[at] ? &values[at] : NULL);
		}
		map_clear(&map);
		memset(present, 0, sizeof(present));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
