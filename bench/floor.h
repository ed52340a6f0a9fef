/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/*
 * DOC: The floor
 *
 * A lower bound for the time of a start: the shortest straightforward way to a command with
 * runbookd's isolation. It makes the same namespaces, mounts, ids, capabilities and filter, but
 * has no plan, checks, error texts or options; the rest is the time of the kernel.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* descriptors of floor_init */
enum { FLOOR_FD_USERNS = 3, FLOOR_FD_FILTER = 4, FLOOR_FD_INIT = 5, FLOOR_FD_NUM };

#define FLOOR_BINDS_MAX 8

/** struct floor_step - one start, for its process between clone3 and exec */
struct floor_step {
	const char *stage; /* a directory to mount on */
	const char *const *bind_targets;
	uid_t base, init_id;
	int netns_fd; /* -1: clone3 makes the namespace */
	int lower_fd, dev_fd, bind_fds[FLOOR_BINDS_MAX], probe_fd;
	unsigned n_binds;
	int stdin_fd, stdout_fd, userns_fd, filter_fd, init_fd;
	bool waits;	    /* the probe is to wait */
	const char *failed; /* the step that failed, with its errno value in @number */
	int number;
};

/** floor_step_main() - function of clone3's child; calls exec, or returns 1 */
int floor_step_main(void *step);

#endif
