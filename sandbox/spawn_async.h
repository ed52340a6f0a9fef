/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SPAWN_ASYNC_H
#define SANDBOX_SPAWN_ASYNC_H

/*
 * DOC: A process that shares our memory and runs while we do
 *
 * For work that takes the kernel a while and needs a process of its own. The process has its
 * stack in a struct that outlives it, and shares errno, the allocator and every lock with us:
 * so it may only call raw_call() and functions that neither set errno nor lock.
 *
 * For the spawn_*.c files only.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_STACK_BYTES (64 * 1024)

/** struct spawn_async - allocate it, start it, wait for it, in this order */
struct spawn_async {
	_Alignas(16) char stack[SPAWN_STACK_BYTES];
	pid_t pid; /* -1: none */
	int pidfd;
	bool dumpable; /* whether we were, before the child changed its ids */
};

/** spawn_async_start() - @flags: CLONE_FILES or none. Return: 0 or -errno. */
int spawn_async_start(struct spawn_async *child, uint64_t flags, int (*function)(void *),
		      void *argument);
/** spawn_async_restore() - make us dumpable again, after the child has changed its ids */
void spawn_async_restore(const struct spawn_async *child);
/** spawn_async_kill() - kill the child; spawn_async_wait() reaps it */
void spawn_async_kill(const struct spawn_async *child);
/** spawn_async_wait() - reap the child. Return: its exit status; 0 if there is no child. */
int spawn_async_wait(struct spawn_async *child);

/* A system call that does not set errno. Return: the kernel's result, -errno on failure. */
static inline long raw_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
