/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/*
 * DOC: The floor
 *
 * The shortest straightforward way to a command with the isolation that
 * runbookd gives: the same namespaces, mounts, ids, capabilities and filter,
 * without a plan, without checks of anything, without texts for errors, without
 * looking at what it is asked for. What is left is what the kernel takes.
 */

#include <stdint.h>
#include <sys/types.h>

/* what floor_init finds */
enum { FLOOR_FD_USERNS = 3, FLOOR_FD_FILTER = 4, FLOOR_FD_INIT = 5, FLOOR_FD_NUM };

#define FLOOR_BINDS_MAX 8

/** struct floor_step - one start, as its process sees it between clone3 and exec */
struct floor_step {
	const char *stage; /* a directory to mount on */
	const char *const *bind_targets;
	uid_t base, init_id;
	int netns_fd; /* -1: made by clone3 */
	int lower_fd, dev_fd, bind_fds[FLOOR_BINDS_MAX], probe_fd;
	unsigned n_binds;
	int stdin_fd, stdout_fd, userns_fd, filter_fd, init_fd;
	const char *failed; /* what did, with errno */
	int number;
};

/** floor_step_main() - argument of clone3's child; ends in exec or returns 1 */
int floor_step_main(void *step);

#endif
