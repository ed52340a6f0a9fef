/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "common/isolation.h"

#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/*
 * The calls that every event-driven program of ours needs. None of them opens a file, makes a
 * connection, starts a program or changes ids.
 */
static const char *const base_syscalls[] = {
	/* memory, not executable: see rules[] */
	"brk",
	"mmap-data",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"membarrier",
	/* threads and signals */
	"futex",
	"futex_waitv",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"gettid",
	"getpid",
	"getppid",
	"tgkill",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sigaltstack",
	"restart_syscall",
	"exit",
	"exit_group",
	"sched_yield",
	"sched_getaffinity",
	"signalfd4",
	"arch_prctl",
	/* time and randomness */
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	/* waiting */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"eventfd2",
	"pipe2",
	/* descriptors that are open already */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"preadv",
	"pwritev",
	"close",
	"close_range",
	"fcntl",
	"dup",
	"dup3",
	"lseek",
	"fstat",
	"newfstatat",
	"statx",
	"fstatfs",
	"memfd_create",
	"sendmsg",
	"recvmsg",
	"sendto",
	"recvfrom",
	"shutdown",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	/* queries about ourselves */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getrlimit",
	"getrusage",
	"uname",
	"sysinfo",
	"prlimit64",
};

/* No library calls these by mistake: a process that does has been compromised. */
static const char *const killing_syscalls[] = {
	"ptrace",	  "process_vm_readv", "process_vm_writev",
	"mount",	  "umount2",	      "pivot_root",
	"setns",	  "unshare",	      "bpf",
	"kexec_load",	  "init_module",      "finit_module",
	"delete_module",  "keyctl",	      "add_key",
	"request_key",	  "userfaultfd",      "perf_event_open",
	"reboot",	  "swapon",	      "open_by_handle_at",
	"io_uring_setup",
};

/* NETLINK_ROUTE, which lists addresses; its header declares much more. */
#define ROUTES 0

/* Compares the low half of an argument, as the kernel does with an int. */
#define IS(n, value) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, UINT32_MAX, value)
#define TYPE(value) SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, 0xf, value)
#define WHITEOUT IS(2, S_IFCHR), IS(3, 0)
#define LACKS(n, bits) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, bits, 0)

/*
 * Calls that are allowed with some arguments only. If a name has several lines, one of them
 * must match. None allows raw sockets, protocols for which the kernel would load a module, or
 * nodes of devices: overlayfs takes a character device 0/0 for a whiteout, and nothing opens it.
 */
static const struct {
	const char *name; /* in base_syscalls or @extra */
	const char *call;
	unsigned n;
	struct scmp_arg_cmp arguments[3];
} rules[] = {
	{"mmap-data", "mmap", 1, {LACKS(2, PROT_EXEC)}},
	{"mprotect", "mprotect", 1, {LACKS(2, PROT_EXEC)}},
	{"mknodat-whiteout", "mknodat", 2, {WHITEOUT}},
	{"socket", "socket", 3, {IS(0, AF_INET), TYPE(SOCK_STREAM), IS(2, 0)}},
	{"socket", "socket", 3, {IS(0, AF_INET), TYPE(SOCK_STREAM), IS(2, IPPROTO_TCP)}},
	{"socket", "socket", 3, {IS(0, AF_INET), TYPE(SOCK_DGRAM), IS(2, 0)}},
	{"socket", "socket", 3, {IS(0, AF_INET), TYPE(SOCK_DGRAM), IS(2, IPPROTO_UDP)}},
	{"socket", "socket", 3, {IS(0, AF_INET6), TYPE(SOCK_STREAM), IS(2, 0)}},
	{"socket", "socket", 3, {IS(0, AF_INET6), TYPE(SOCK_STREAM), IS(2, IPPROTO_TCP)}},
	{"socket", "socket", 3, {IS(0, AF_INET6), TYPE(SOCK_DGRAM), IS(2, 0)}},
	{"socket", "socket", 3, {IS(0, AF_INET6), TYPE(SOCK_DGRAM), IS(2, IPPROTO_UDP)}},
	{"socket", "socket", 1, {IS(0, AF_UNIX)}},
	{"socket", "socket", 2, {IS(0, AF_NETLINK), IS(2, ROUTES)}},
	{"socketpair", "socketpair", 1, {IS(0, AF_UNIX)}},
};

static int filter_rule(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n,
		       const struct scmp_arg_cmp *arguments, struct error *error)
{
	int number = seccomp_syscall_resolve_name(name);
	int r;

	if (number == __NR_SCMP_ERROR)
		return 0; /* unknown to this libseccomp: it stays denied */
	r = seccomp_rule_add_array(filter, action, number, n, arguments);
	if (r < 0 && r != -EEXIST && r != -EACCES)
		return error_errno(error, -r, "cannot filter %s", name);
	return 0;
}

static int filter_allow(scmp_filter_ctx filter, const char *name, struct error *error)
{
	bool bounded = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++) {
		if (strcmp(rules[i].name, name) != 0)
			continue;
		bounded = true;
		r = filter_rule(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].n,
				rules[i].arguments, error);
	}
	return bounded ? r : filter_rule(filter, SCMP_ACT_ALLOW, name, 0, NULL, error);
}

/* Allows clone() for threads only. clone3() gets ENOSYS, as BPF cannot read its arguments. */
static int filter_threads(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, 0x00010100 /* VM | THREAD */, 0x00010100));
	return r;
}

int isolate_syscalls(const char *const *extra, struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool own_processes = false;
	int r = 0;

	if (!filter)
		return error_set(error, ENOMEM, "cannot make a seccomp filter");
	for (const char *const *name = extra; name && *name; name++)
		own_processes |= strcmp(*name, "clone3") == 0 || strcmp(*name, "clone") == 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(base_syscalls); i++)
		r = filter_allow(filter, base_syscalls[i], error);
	for (const char *const *name = extra; r == 0 && name && *name; name++)
		r = filter_allow(filter, *name, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(killing_syscalls); i++)
		r = filter_rule(filter, SCMP_ACT_KILL_PROCESS, killing_syscalls[i], 0, NULL, error);
	if (r == 0 && !own_processes) {
		r = filter_threads(filter);
		if (r < 0)
			(void)error_errno(error, -r, "cannot filter clone");
	}
	if (r == 0) {
		r = seccomp_load(filter);
		if (r < 0)
			(void)error_errno(error, -r, "cannot load the seccomp filter");
	}
	seccomp_release(filter);
	return r;
}
