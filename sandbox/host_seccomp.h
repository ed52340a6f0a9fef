/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_SECCOMP_H
#define SANDBOX_HOST_SECCOMP_H

#include "common/error.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* Jumps reach 255 instructions, and all answers stand at the end. */
#define SECCOMP_PROGRAM_MAX 255

/**
 * seccomp_program_build() - the filter of seccomp_list.c as BPF
 * @out:    room for SECCOMP_PROGRAM_MAX instructions
 * @report: the same, but whatever is not allowed asks the listener of the filter
 *          (SECCOMP_RET_USER_NOTIF), which answers what the filter would have
 *
 * One binary search over ranges of numbers, then argument checks. Written here
 * and not by a library because the filter is then ready in microseconds (a
 * one-shot runbook-sandbox pays for it at every start), can answer ENOSYS above
 * a number and EPERM below, and compares exactly the 32 bits that the kernel
 * will look at.
 *
 * Return: number of instructions, or -E2BIG.
 */
int seccomp_program_build(struct sock_filter *out, bool report);

/** seccomp_program_seal() - the same in a sealed memfd. Return: fd or -errno. */
int seccomp_program_seal(bool report, struct error *error);

#endif
