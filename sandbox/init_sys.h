/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_SYS_H
#define SANDBOX_INIT_SYS_H

/*
 * DOC: System calls of runbook-init
 *
 * runbook-init is started for every step and lives as long as the step. It links no C library:
 * the start-up code of one executes CPUID, which traps some thirty times under virtualisation
 * and takes longer than all work of the init itself. A program of a few kilobytes is also
 * mapped and torn down faster than one of 800.
 *
 * The init_*() calls are the system calls of the same name (man 2) and return -errno like the
 * kernel. The few functions of <string.h> that it uses, and that the compiler may call, are in
 * init_sys.c.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/** init_call6(), init_call() - a system call. Return: the kernel's result, -errno on failure. */
static inline long init_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define INIT_ARG(x) ((long)(x))
#define init_call(number, a, b, c, d)                                                              \
	init_call6((number), INIT_ARG(a), INIT_ARG(b), INIT_ARG(c), INIT_ARG(d), 0, 0)

_Noreturn static inline void init_exit(int code)
{
	for (;;)
		(void)init_call(SYS_exit_group, code, 0, 0, 0);
}

/**
 * init_vfork() - clone(2) with CLONE_VM | CLONE_VFORK on a stack of its own
 * @function: runs in the child; its result is the child's exit code
 * @stack_end: one past the last byte of the stack, aligned to 16
 *
 * Return: the child's id once it has called exec or has ended; -errno.
 */
long init_vfork(int (*function)(void *), void *argument, void *stack_end);
/**
 * init_fork() - the same in a copy of our memory
 *
 * The caller sees only what @function writes to shared mappings.
 *
 *
 * Return: the child's id once it has called exec or has ended; -errno.
 */
long init_fork(int (*function)(void *), void *argument);

#endif
