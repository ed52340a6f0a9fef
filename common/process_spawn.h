/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROCESS_SPAWN_H
#define COMMON_PROCESS_SPAWN_H

/*
 * Starting another program, by posix_spawn(3): glibc does it by clone(CLONE_VM |
 * CLONE_VFORK), so that the memory of a large process is never copied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** struct process_fd - @from, of ours, is descriptor @to of the program; -1: /dev/null */
struct process_fd {
	int from, to;
};

/** struct process_request - what the program gets; it inherits nothing else but what is open */
struct process_request {
	char *const *argv, *const *envp;
	const struct process_fd *fds;
	size_t n_fds;
	bool own_group; /* a process group: Ctrl-C at our terminal does not reach it */
};

/**
 * process_spawn() - execute @path
 *
 * No signal is blocked or ignored in it. The caller reaps it.
 * Return: 0 or -errno, also when @path cannot be executed.
 */
int process_spawn(const char *path, const struct process_request *request, pid_t *ret_pid);

#endif
