/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_SECCOMP_H
#define SANDBOX_HOST_SECCOMP_H

/*
 * DOC: The compiler of the seccomp filter
 *
 * Turns the list of system calls (seccomp_list.h) and the rules about arguments
 * (seccomp_rules.h) into one BPF program: a binary search over ranges of numbers, then argument
 * checks. It is written here and not by a library because the filter is then ready in
 * microseconds (a one-shot runbook-sandbox pays for it at every start), can answer ENOSYS above
 * a number and EPERM below, and compares exactly the 32 bits that the kernel will look at.
 */

#include "common/error.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* Jumps reach 255 instructions, and all answers are at the end of the program. */
#define SECCOMP_PROGRAM_MAX 255

/**
 * seccomp_program_build() - compile the filter to BPF
 * @out:    room for SECCOMP_PROGRAM_MAX instructions
 * @report: calls that are not allowed are sent to the listener of the filter
 *          (SECCOMP_RET_USER_NOTIF), which answers in place of the filter
 *
 *
 * Return: number of instructions, or -E2BIG.
 */
int seccomp_program_build(struct sock_filter *out, bool report);

/** seccomp_program_seal() - the same into a sealed memfd. Return: fd or -errno. */
int seccomp_program_seal(bool report, struct error *error);

#endif
