/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/spawn.h"

#include "sandbox/spawn_async.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define CHILD_STACK_BYTES SPAWN_STACK_BYTES

/* A child that execs leaves the sanitizer's marks of its frames in the shadow of our stack. */
static void stack_unmark(const char *stack)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(stack, CHILD_STACK_BYTES);
#else
	(void)stack;
#endif
}

/*
 * clone3(2) with a stack for the child. The child must not return into the frame of its parent,
 * so it calls @function in the same asm statement.
 */
static long clone3_call(struct clone_args *args, int (*function)(void *), void *argument)
{
	register int (*child_function)(void *) __asm__("r8") = function;
	register void *child_argument __asm__("r9") = argument;
	long result = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r9, %%rdi\n\t"
			 "callq *%%r8\n\t"
			 "movl %%eax, %%edi\n\t"
			 "movl %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(result)
			 : "D"(args), "S"(sizeof(*args)), "r"(child_function),
			   "r"(child_argument), [exit] "i"(SYS_exit_group)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

static void block_signals(sigset_t *ret_old)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, ret_old);
}

static long start(uint64_t flags, int cgroup_fd, int *ret_pidfd, char *stack,
		  int (*function)(void *), void *argument)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = flags | CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = CHILD_STACK_BYTES,
	};
	long pid;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = clone3_call(&args, function, argument);
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

/*
 * Whether we are dumpable: a change of ids in a child clears the flag of the memory that we share.
 * It is read once, before the first child, as another thread's child may have cleared it now.
 */
static bool were_dumpable(void)
{
	static int known = -1;

	if (__atomic_load_n(&known, __ATOMIC_RELAXED) < 0)
		__atomic_store_n(&known, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&known, __ATOMIC_RELAXED) == 1;
}

pid_t spawn_vfork(uint64_t flags, int cgroup_fd, int *ret_pidfd, int (*function)(void *),
		  void *argument)
{
	/* allocated, because the compiler touches every page of a large array on the stack */
	char *stack = malloc(CHILD_STACK_BYTES);
	bool dumpable = were_dumpable();
	sigset_t old;
	long pid;

	if (!stack)
		return -ENOMEM;
	block_signals(&old);
	pid = start(flags | CLONE_VFORK, cgroup_fd, ret_pidfd, stack, function, argument);
	stack_unmark(stack);
	free(stack);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
	return (pid_t)pid;
}

int spawn_wait(int pidfd)
{
	siginfo_t info = {0};

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* ---- without blocking the caller ---- */

int spawn_async_start(struct spawn_async *child, uint64_t flags, int (*function)(void *),
		      void *argument)
{
	sigset_t old;
	long pid;

	/* restored as in spawn_vfork() */
	child->dumpable = were_dumpable();
	child->pid = -1;
	child->pidfd = -1;
	block_signals(&old);
	pid = start(flags, -1, &child->pidfd, child->stack, function, argument);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return (int)pid;
	child->pid = (pid_t)pid;
	return 0;
}

void spawn_async_restore(const struct spawn_async *child)
{
	(void)prctl(PR_SET_DUMPABLE, child->dumpable, 0, 0, 0);
}

int spawn_async_wait(struct spawn_async *child)
{
	int status;

	if (child->pid < 0)
		return 0;
	status = spawn_wait(child->pidfd);
	stack_unmark(child->stack);
	(void)close(child->pidfd);
	child->pidfd = -1;
	child->pid = -1;
	spawn_async_restore(child);
	return status;
}

void spawn_async_kill(const struct spawn_async *child)
{
	if (child->pid >= 0)
		(void)syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}
