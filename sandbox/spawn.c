/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/spawn.h"

#include "sandbox/spawn_beside.h"

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

/* A child that execs leaves its frames' marks in the sanitizer's shadow of our stack. */
static void stack_unmark(const char *stack)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(stack, CHILD_STACK_BYTES);
#else
	(void)stack;
#endif
}

/*
 * clone3(2) with a stack of its own. The child must not return into the frame
 * of its parent, so the call of @function happens in the same asm statement.
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

pid_t spawn_vfork(uint64_t flags, int cgroup_fd, int *ret_pidfd, int (*function)(void *),
		  void *argument)
{
	_Alignas(16) char stack[CHILD_STACK_BYTES];
	/* a change of ids clears the flag, and the memory it is about is ours */
	int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	sigset_t old;
	long pid;

	block_signals(&old);
	pid = start(flags | CLONE_VFORK, cgroup_fd, ret_pidfd, stack, function, argument);
	stack_unmark(stack);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
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

/* ---- beside us ---- */

int beside_start(struct beside *beside, uint64_t flags, int (*function)(void *), void *argument)
{
	sigset_t old;
	long pid;

	/* as in spawn_vfork() */
	beside->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
	beside->pid = -1;
	beside->pidfd = -1;
	block_signals(&old);
	pid = start(flags, -1, &beside->pidfd, beside->stack, function, argument);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return (int)pid;
	beside->pid = (pid_t)pid;
	return 0;
}

void beside_restore(const struct beside *beside)
{
	(void)prctl(PR_SET_DUMPABLE, beside->dumpable, 0, 0, 0);
}

int beside_wait(struct beside *beside)
{
	int status;

	if (beside->pid < 0)
		return 0;
	status = spawn_wait(beside->pidfd);
	stack_unmark(beside->stack);
	(void)close(beside->pidfd);
	beside->pidfd = -1;
	beside->pid = -1;
	beside_restore(beside);
	return status;
}

void beside_kill(const struct beside *beside)
{
	if (beside->pid >= 0)
		(void)syscall(SYS_pidfd_send_signal, beside->pidfd, SIGKILL, NULL, 0);
}
