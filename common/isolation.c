/* SPDX-License-Identifier: Apache-2.0 */
#include "common/isolation.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	for (int cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break; /* past the last one that this kernel knows */
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(error, errno, "cannot drop capabilities");
	return 0;
}

int isolate_user(struct role_user user, struct error *error)
{
	struct rlimit no_core = {0, 0};
	int r;

	if (geteuid() == 0) {
		if (user.uid == 0 || user.gid == 0)
			return error_set(error, EINVAL, "refusing to stay root");
		/* the bounding set goes while CAP_SETPCAP is still there */
		for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
			cap++;
		if (setgroups(0, NULL) < 0 || setresgid(user.gid, user.gid, user.gid) < 0 ||
		    setresuid(user.uid, user.uid, user.uid) < 0)
			return error_errno(error, errno, "cannot become uid %u", user.uid);
	}
	r = drop_capabilities(error);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(error, errno, "cannot set no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(error, errno, "cannot become undumpable");
	/* the hang-up of its channel ends it, but not while somebody has stopped it; cleared by a
	 * change of ids, hence here */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	return 0;
}

/* ---- Landlock ---- */

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* rights of ABI 1; REFER and TRUNCATE are added when the kernel has them */
#define LANDLOCK_WRITE                                                                             \
	(LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define LANDLOCK_HANDLED_1                                                                         \
	(LANDLOCK_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define LANDLOCK_REFER_RIGHT (1ULL << 13)    /* ABI 2 */
#define LANDLOCK_TRUNCATE_RIGHT (1ULL << 14) /* ABI 3 */

static int landlock_allow(int ruleset, const struct isolation_path *path, uint64_t handled,
			  struct error *error)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = path->write ? LANDLOCK_WRITE | LANDLOCK_REFER_RIGHT |
							LANDLOCK_TRUNCATE_RIGHT
					      : LANDLOCK_READ,
	};
	cleanup_close int fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT && !path->write)
			return 0; /* optional system file: absent is unreachable enough */
		return error_errno(error, errno, "cannot open %s", path->path);
	}
	rule.parent_fd = fd;
	if (path->execute)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	rule.allowed_access &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	if (errno == EINVAL) { /* @path is a file: directory rights do not apply */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
				       LANDLOCK_TRUNCATE_RIGHT;
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ==
		    0)
			return 0;
	}
	return error_errno(error, errno, "cannot allow %s", path->path);
}

int isolate_filesystem(const struct isolation_path *paths, size_t n_paths, struct error *error)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_HANDLED_1};
	cleanup_close int ruleset = -1;
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		log_warning("this kernel has no Landlock (%s): file access is bounded by user ids "
			    "only, ignoring",
			    strerror(errno));
		return 0;
	}
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_REFER_RIGHT;
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_TRUNCATE_RIGHT;
	/* ABI 1's size: later fields (network, scopes) stay unhandled */
	ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return error_errno(error, errno, "cannot create a Landlock ruleset");
	for (size_t i = 0; i < n_paths; i++) {
		int r = landlock_allow(ruleset, &paths[i], attr.handled_access_fs, error);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(error, errno, "cannot enforce the Landlock ruleset");
	return 0;
}

/* ---- seccomp ---- */

/*
 * What every event-driven program of ours needs. Nothing here opens a file,
 * makes a connection, starts a program or changes an identity.
 */
static const char *const base_syscalls[] = {
	/* memory */
	"brk",
	"mmap",
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
	/* time and chance */
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
	/* facts about ourselves */
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

/* Asking for these is no mistake of a library: the process is not itself any more. */
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

static int filter_add(scmp_filter_ctx filter, uint32_t action, const char *name,
		      struct error *error)
{
	int number = seccomp_syscall_resolve_name(name);
	int r;

	if (number == __NR_SCMP_ERROR)
		return 0; /* newer than this libseccomp: stays denied */
	r = seccomp_rule_add(filter, action, number, 0);
	if (r < 0 && r != -EEXIST && r != -EACCES)
		return error_errno(error, -r, "cannot filter %s", name);
	return 0;
}

/* A second process is a thread or nothing: clone() with CLONE_VM, clone3 unreadable to BPF. */
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
		r = filter_add(filter, SCMP_ACT_ALLOW, base_syscalls[i], error);
	for (const char *const *name = extra; r == 0 && name && *name; name++)
		r = filter_add(filter, SCMP_ACT_ALLOW, *name, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(killing_syscalls); i++)
		r = filter_add(filter, SCMP_ACT_KILL_PROCESS, killing_syscalls[i], error);
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
