/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

/*
 * DOC: Programs without a C library
 *
 * The start code of a static glibc takes longer than some of the times measured here, so
 * these programs have their own. x86-64 only, like runbookd.
 */

#include <sys/syscall.h>

static inline long bare_call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

__attribute__((noreturn)) static inline void bare_exit(int code)
{
	for (;;)
		(void)bare_call(SYS_exit_group, code, 0, 0, 0, 0);
}

/* The program defines bare_main(); @stack is argc, then argv. */
__attribute__((noreturn, used)) void bare_main(const long *stack);

__asm__(".globl _start\n"
	"_start:\n\t"
	"xorl %ebp, %ebp\n\t"
	"movq %rsp, %rdi\n\t"
	"andq $-16, %rsp\n\t"
	"call bare_main\n");

#endif
