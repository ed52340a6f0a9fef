/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MEMORY_GUARD_H
#define COMMON_MEMORY_GUARD_H

/*
 * Memory that was written is not executed: mappings that are writable and executable at
 * once are refused, and so is making one executable later. The kernel does that itself
 * since Linux 6.3 (PR_SET_MDWE); before, a seccomp filter does.
 */

#include <stdbool.h>

/* prctl(2)'s PR_SET_MDWE and its arguments: headers may be older than the kernel */
#define MEMORY_GUARD_OPTION 65
#define MEMORY_GUARD_ALL 1UL
#define MEMORY_GUARD_SELF 3UL

/**
 * memory_guard() - for this process and all that it starts, for good
 *
 * With the filter comes no_new_privs.
 *
 * Return: 0 or -errno.
 */
int memory_guard(void);

/**
 * memory_guard_self() - for this process alone: what it forks or executes is free again
 *
 * For a process that starts steps, whose programs may compile as they run. A filter would
 * reach them, so this is PR_SET_MDWE alone, and needs Linux 6.6.
 *
 * Return: whether this kernel can.
 */
bool memory_guard_self(void);

/** memory_guard_filter() - the filter that older kernels get; for tests. Return: 0 or -errno. */
int memory_guard_filter(void);

#endif
