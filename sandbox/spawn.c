/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/spawn.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

#define CHILD_STACK_BYTES (64 * 1024)

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

/* A system call that touches no errno: it is shared with a parent that runs on. */
static long raw_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
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
	if (dumpable == 1)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
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

/* ---- user namespaces ---- */

struct userns_maker {
	uid_t owner;
	pid_t parent;
	int ready_fd;
	int mntns_fd; /* our own mount namespace */
	long failed;  /* -errno */
};

/*
 * Runs beside its parent (no CLONE_VFORK: the maps are written from outside
 * while it lives), hence raw_call() only. It waits to be killed.
 */
static int userns_main(void *argument)
{
	struct userns_maker *maker = argument;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {
		{.effective = 1U << CAP_SYS_ADMIN, .permitted = 1U << CAP_SYS_ADMIN}};
	long id = (long)maker->owner;
	long result;

	/* who is in a chroot may make no user namespace; joining one's own mount
	 * namespace goes back to its root (user_namespaces(7), setns(2)) */
	result = raw_call(SYS_setns, maker->mntns_fd, CLONE_NEWNS, 0, 0);
	/* hosts that forbid unprivileged user namespaces want CAP_SYS_ADMIN of the creator */
	(void)raw_call(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0);
	if (result == 0)
		result = raw_call(SYS_setresgid, id, id, id, 0);
	if (result == 0)
		result = raw_call(SYS_setresuid, id, id, id, 0);
	if (result == 0)
		result = raw_call(SYS_capset, (long)&header, (long)caps, 0, 0);
	if (result == 0)
		result = raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	/* killed before it could tell us so: with us its memory and descriptors would stay */
	if (result == 0 && raw_call(SYS_getppid, 0, 0, 0, 0) != maker->parent)
		result = -ESRCH;
	if (result == 0)
		result = raw_call(SYS_unshare, CLONE_NEWUSER, 0, 0, 0);
	__atomic_store_n(&maker->failed, result, __ATOMIC_RELEASE);
	(void)raw_call(SYS_write, maker->ready_fd, (long)"", 1, 0);
	while (result == 0 && raw_call(SYS_pause, 0, 0, 0, 0) < 0)
		;
	return 1;
}

static int map_write(pid_t pid, const char *file, struct id_map map, struct error *error)
{
	char path[64], line[64];
	cleanup_close int fd = -1;
	int length;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	length = snprintf(line, sizeof(line), "%u %u %u\n", map.inside, map.outside, map.count);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)length) != length)
		return error_errno(error, errno, "cannot write the %s of a user namespace", file);
	return 0;
}

static int userns_finish(pid_t pid, const struct userns_maker *maker, struct id_map users,
			 struct id_map groups, struct error *error)
{
	long failed = __atomic_load_n(&maker->failed, __ATOMIC_ACQUIRE);
	char path[64];
	int fd, r;

	if (failed < 0)
		return error_errno(error, (int)-failed,
				   "cannot make a user namespace (see sysctl "
				   "user.max_user_namespaces)");
	r = map_write(pid, "uid_map", users, error);
	if (r == 0)
		r = map_write(pid, "gid_map", groups, error);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, errno, "cannot open a user namespace");
	return fd;
}

struct userns_job {
	_Alignas(16) char stack[CHILD_STACK_BYTES];
	struct userns_maker maker;
	int dumpable; /* ours; as in spawn_vfork() */
	pid_t pid;
	int pidfd, mntns_fd;
	int ready_fds[2];
};

static void job_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Also when it never began to run. */
struct userns_job *spawn_userns_free(struct userns_job *job)
{
	if (!job)
		return NULL;
	if (job->pid > 0) {
		(void)syscall(SYS_pidfd_send_signal, job->pidfd, SIGKILL, NULL, 0);
		(void)spawn_wait(job->pidfd);
		stack_unmark(job->stack);
		if (job->dumpable == 1)
			(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	}
	job_close(&job->pidfd);
	job_close(&job->mntns_fd);
	job_close(&job->ready_fds[0]);
	job_close(&job->ready_fds[1]);
	free(job);
	return NULL;
}

struct userns_job *spawn_userns_begin(uid_t owner, struct error *error)
{
	struct userns_job *job = malloc(sizeof(*job));
	sigset_t old;
	long pid;

	if (!job) {
		(void)error_errno(error, ENOMEM, "cannot make a user namespace");
		return NULL;
	}
	job->maker = (struct userns_maker){.owner = owner, .parent = getpid(), .failed = -EIO};
	job->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	job->pid = -1;
	job->pidfd = job->ready_fds[0] = job->ready_fds[1] = -1;
	job->mntns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (job->mntns_fd < 0 || pipe2(job->ready_fds, O_CLOEXEC) < 0) {
		(void)error_errno(error, errno, "cannot prepare a user namespace");
		return spawn_userns_free(job);
	}
	job->maker.mntns_fd = job->mntns_fd;
	job->maker.ready_fd = job->ready_fds[1];
	block_signals(&old);
	pid = start(0, -1, &job->pidfd, job->stack, userns_main, &job->maker);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	job_close(&job->ready_fds[1]);
	if (pid < 0) {
		(void)error_errno(error, (int)-pid, "cannot start a process");
		return spawn_userns_free(job);
	}
	job->pid = (pid_t)pid;
	return job;
}

int spawn_userns_end(struct userns_job *job, struct id_map users, struct id_map groups,
		     struct error *error)
{
	char byte;
	int fd;

	while (read(job->ready_fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	fd = userns_finish(job->pid, &job->maker, users, groups, error);
	(void)syscall(SYS_pidfd_send_signal, job->pidfd, SIGKILL, NULL, 0);
	if (job->dumpable == 1)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return fd;
}

int spawn_userns(uid_t owner, struct id_map users, struct id_map groups, struct error *error)
{
	struct userns_job *job = spawn_userns_begin(owner, error);
	int fd;

	if (!job)
		return error ? -error->number : -EIO;
	fd = spawn_userns_end(job, users, groups, error);
	(void)spawn_userns_free(job);
	return fd;
}

/* ---- network namespaces ---- */

struct netns_maker {
	const struct netns_setting *settings;
	const char *failed_path; /* the setting that could not be written */
	bool want_netlink;
	int netns_fd;
	int netlink_fd;
	int failed; /* errno */
};

static int settings_write(struct netns_maker *maker)
{
	for (const struct netns_setting *at = maker->settings; at->path; at++) {
		int fd = open(at->path, O_WRONLY | O_CLOEXEC);
		int failed = fd < 0 || write(fd, at->value, strlen(at->value)) < 0 ? errno : 0;

		if (fd >= 0)
			(void)close(fd);
		if (failed != 0 && !(at->optional && failed == ENOENT)) {
			maker->failed_path = at->path;
			return failed;
		}
	}
	return 0;
}

/* Shares our descriptor table: what it opens is ours when it is gone. */
static int netns_main(void *argument)
{
	struct netns_maker *maker = argument;
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int failed = 0;

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		failed = errno;
	if (fd >= 0)
		(void)close(fd);
	if (failed == 0)
		failed = settings_write(maker);
	if (failed == 0) {
		maker->netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (maker->netns_fd < 0)
			failed = errno;
	}
	if (failed == 0 && maker->want_netlink) {
		maker->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
		if (maker->netlink_fd < 0)
			failed = errno;
	}
	maker->failed = failed;
	return failed != 0;
}

int spawn_netns(const struct netns_setting *settings, int *ret_netlink, struct error *error)
{
	struct netns_maker maker = {.settings = settings,
				    .want_netlink = ret_netlink != NULL,
				    .netns_fd = -1,
				    .netlink_fd = -1};
	cleanup_close int pidfd = -1;
	pid_t pid;

	pid = spawn_vfork(CLONE_NEWNET | CLONE_FILES, -1, &pidfd, netns_main, &maker);
	if (pid < 0)
		return error_errno(error, -pid, "cannot make a network namespace");
	(void)spawn_wait(pidfd);
	if (maker.failed != 0) {
		if (maker.netns_fd >= 0)
			(void)close(maker.netns_fd);
		return error_errno(error, maker.failed, "cannot prepare a network namespace%s%s",
				   maker.failed_path ? ": " : "",
				   maker.failed_path ? maker.failed_path : "");
	}
	if (ret_netlink)
		*ret_netlink = maker.netlink_fd;
	return maker.netns_fd;
}
