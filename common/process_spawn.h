/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROCESS_SPAWN_H
#define COMMON_PROCESS_SPAWN_H

/*
 * DOC: Starting another program
 *
 * Uses posix_spawn(3), which in glibc is clone(CLONE_VM | CLONE_VFORK): the page tables of a
 * large process are never copied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** struct process_fd - our descriptor @from becomes the program's @to; @from -1: /dev/null */
struct process_fd {
	int from, to;
};

/** struct process_request - arguments of the program, besides descriptors without FD_CLOEXEC */
struct process_request {
	char *const *argv, *const *envp;
	const struct process_fd *fds;
	size_t n_fds;
	bool own_group; /* its own process group: Ctrl-C at our terminal does not reach it */
};

/**
 * process_spawn() - execute @path
 *
 * The program starts with no signal blocked or ignored. The caller reaps it.
 * Return: 0; -errno, also if @path cannot be executed.
 */
int process_spawn(const char *path, const struct process_request *request, pid_t *ret_pid);

#endif
