/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's handlers: any sequence of messages from all of its peers (tests/fuzz/peers.h),
 * with a store of its own that is empty at first. It may close the channel of any peer; it must
 * not exit, and it must be able to start again on its store.
 */
#include "tests/fuzz/scheduler_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	store_empty();
	if (run((struct input){data, size}) < 0)
		abort();
	if (run((struct input){NULL, 0}) < 0) /* loads the store of the first run */
		abort();
	return 0;
}
