/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/init_sys.h"

#include <sched.h>
#include <signal.h>
#include <string.h>

int init_main(int argc, char **argv);

/* The kernel enters here with argc, argv and the environment on the stack (psABI, 3.4.1). */
__asm__(".globl _start\n"
	".type _start, @function\n"
	"_start:\n\t"
	"endbr64\n\t"
	"xorl %ebp, %ebp\n\t"
	"movq (%rsp), %rdi\n\t"
	"leaq 8(%rsp), %rsi\n\t"
	"andq $-16, %rsp\n\t"
	"callq init_main\n\t"
	"movl %eax, %edi\n\t"
	"movl $231, %eax\n\t" /* exit_group */
	"syscall\n\t"
	"hlt\n"
	".size _start, . - _start\n");

long init_vfork(int (*function)(void *), void *argument, void *stack_end)
{
	register int (*child_function)(void *) __asm__("r12") = function;
	register void *child_argument __asm__("r13") = argument;
	register long no_tls __asm__("r8") = 0;
	register long no_child_tid __asm__("r10") = 0;
	long result = SYS_clone;

	/* the child must not return into this frame, so it calls @function in the same statement */
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r13, %%rdi\n\t"
			 "callq *%%r12\n\t"
			 "movl %%eax, %%edi\n\t"
			 "movl %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(result)
			 : "D"(CLONE_VM | CLONE_VFORK | SIGCHLD), "S"(stack_end), "d"(0L),
			   "r"(no_child_tid), "r"(no_tls), "r"(child_function),
			   "r"(child_argument), [exit] "i"(SYS_exit_group)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

long init_fork(int (*function)(void *), void *argument)
{
	long pid = init_call(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0);

	if (pid == 0)
		init_exit(function(argument));
	return pid;
}

/* The compiler may turn assignments and loops into calls of these. */

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return start;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return start;
}

int memcmp(const void *one, const void *other, size_t size)
{
	const unsigned char *a = one, *b = other;

	for (; size > 0; size--, a++, b++) {
		if (*a != *b)
			return *a < *b ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (size_t)(end - text);
}
