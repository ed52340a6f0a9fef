/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ops.h"

const struct sandbox_ops sandbox_library = {
	.start = sandbox_start,
	.launch_begin = sandbox_launch_begin,
	.launch_fd = sandbox_launch_fd,
	.launch_next = sandbox_launch_next,
	.launch_end = sandbox_launch_end,
	.signal = sandbox_signal,
	.kill = sandbox_kill,
	.finish = sandbox_finish,
	.collect = sandbox_collect,
	.persist = sandbox_persist,
	.adopt = sandbox_adopt,
};
