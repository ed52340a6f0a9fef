/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MEMORY_GUARD_H
#define COMMON_MEMORY_GUARD_H

/*
 * DOC: No executable data
 *
 * A process under this guard cannot execute memory that it wrote: mappings that are both
 * writable and executable are denied, and so is making one executable later. The kernel does
 * that since Linux 6.3 (PR_SET_MDWE, prctl(2)); on older ones a seccomp filter does.
 */

#include <stdbool.h>

/* PR_SET_MDWE and its arguments: the headers may be older than the kernel */
#define MEMORY_GUARD_OPTION 65
#define MEMORY_GUARD_ALL 1UL
#define MEMORY_GUARD_SELF 3UL

/**
 * memory_guard() - guard this process and all that it starts, for good
 *
 * The filter of older kernels also sets no_new_privs.
 *
 * Return: 0 or -errno.
 */
int memory_guard(void);

/**
 * memory_guard_self() - guard only this process, not those that it forks or executes
 *
 * For a process that starts steps, whose programs may be JIT compilers. They would inherit a
 * filter, so this uses only PR_SET_MDWE with PR_MDWE_NO_INHERIT (Linux 6.6).
 *
 * Return: whether the kernel supports it.
 */
bool memory_guard_self(void);

/** memory_guard_filter() - install the filter of older kernels; for tests. Return: 0 or -errno. */
int memory_guard_filter(void);

#endif
