/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's handlers: any sequence of messages from all of its peers (tests/fuzz/peers.h),
 * on a store of its own that begins empty. It may hang up on any of them; it may not end by
 * itself, and it must be able to start again on what it wrote.
 */
#include "tests/fuzz/scheduler_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	store_empty();
	if (run((struct input){data, size}) < 0)
		abort();
	if (run((struct input){NULL, 0}) < 0) /* loads what the first life left */
		abort();
	return 0;
}
