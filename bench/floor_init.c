/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of the floor, reduced to its purpose: it starts the command inside the user namespace,
 * with few capabilities and a seccomp filter, and waits for it.
 *
 *   floor_init COMMAND      descriptors: see FLOOR_FD_* in floor.h
 */
#include "bench/bare.h"
#include "bench/floor.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>

static struct sock_filter filter[1024];
static _Alignas(16) char child_stack[16384];

__attribute__((noreturn, used)) static void command_main(char **argv)
{
	static const uint64_t kept = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
				     1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_KILL |
				     1ULL << CAP_SETGID | 1ULL << CAP_SETUID | 1ULL << CAP_SETPCAP |
				     1ULL << CAP_SETFCAP | 1ULL << CAP_SYS_CHROOT |
				     1ULL << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {
		{.effective = (uint32_t)kept, .permitted = (uint32_t)kept}};
	char *envp[] = {0};
	long size = bare_call(SYS_pread64, FLOOR_FD_FILTER, (long)filter, sizeof(filter), 0, 0);
	struct sock_fprog program = {.len = (unsigned short)((unsigned long)size / 8),
				     .filter = filter};

	if (size <= 0 || bare_call(SYS_setsid, 0, 0, 0, 0, 0) < 0 ||
	    bare_call(SYS_setns, FLOOR_FD_USERNS, CLONE_NEWUSER, 0, 0, 0) < 0 ||
	    bare_call(SYS_setgroups, 0, 0, 0, 0, 0) < 0 ||
	    bare_call(SYS_setresgid, 0, 0, 0, 0, 0) < 0 ||
	    bare_call(SYS_setresuid, 0, 0, 0, 0, 0) < 0)
		bare_exit(120);
	for (long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!(kept & 1ULL << cap))
			(void)bare_call(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	if (bare_call(SYS_capset, (long)&header, (long)caps, 0, 0, 0) < 0 ||
	    bare_call(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */, 0, 0) < 0)
		bare_exit(121);
	(void)bare_call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
	if (bare_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0) < 0)
		bare_exit(122);
	(void)bare_call(SYS_execve, (long)argv[0], (long)argv, (long)envp, 0, 0);
	bare_exit(123);
}

/* vfork with a stack of its own for the child, which is called before anything can return */
static long command_start(char **argv)
{
	register char **child_argv __asm__("r9") = argv;
	long result = SYS_clone;

	__asm__ volatile("xorl %%edx, %%edx\n\t"
			 "xorl %%r10d, %%r10d\n\t"
			 "xorl %%r8d, %%r8d\n\t"
			 "syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r9, %%rdi\n\t"
			 "call command_main\n"
			 "1:"
			 : "+a"(result)
			 : "D"((long)(CLONE_VM | CLONE_VFORK | SIGCHLD)),
			   "S"(child_stack + sizeof(child_stack)), "r"(child_argv)
			 : "rcx", "rdx", "r8", "r10", "r11", "memory");
	return result;
}

void bare_main(const long *stack)
{
	long argv = (long)(stack + 2), pid, dead;
	int status = 0;

	(void)bare_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	pid = command_start((char **)argv);
	do
		dead = bare_call(SYS_wait4, -1, (long)&status, 0, 0, 0);
	while (dead >= 0 && dead != pid);
	bare_exit(dead < 0 || status & 0x7f ? 124 : status >> 8 & 0xff);
}
