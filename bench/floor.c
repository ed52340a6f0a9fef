/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outside part of the floor (floor.h).
 *
 *   floor [-n COUNT] [-j PARALLEL] [-p PAUSE_US] [-t THREADS] [-P] [-w] [-c CGROUP] -d DIR PROBE
 *
 * -P: take network namespaces from a pool that a thread keeps full; otherwise each start
 * makes one. -c: a cgroup v2 directory, in which each start makes a group. -d: an empty
 * directory for the template of the root.
 */
#include "bench/floor.h"

#include "bench/loop.h"
#include "sandbox/host_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)
#define POOL_MAX 128
#define BASE_FIRST 0x60000000u /* outside the ids of runbookd */
#define RANGE 65536u
#define INIT_ID_FIRST 0x5fff0000u

struct slot {
	int userns_fd; /* 0: not made yet */
	int lower_fd;  /* detached mount of the template with this slot's ids */
	int pidfd;
	unsigned long group;
	char *stack;
};

struct floor {
	const char *probe;
	const char *directory;
	int cgroup_fd;
	bool pooled, waits;
	char stage[4096];
	int dev_fd, probe_fd, bind_fds[FLOOR_BINDS_MAX];
	const char *bind_targets[FLOOR_BINDS_MAX];
	unsigned n_binds;
	int stdin_fd, filter_fd, init_fd;
	struct slot slots[BENCH_PARALLEL_MAX];
	unsigned long n_groups;
	/* the pool of network namespaces */
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	int pool[POOL_MAX];
	unsigned n_pool;
};

static int complain(const char *what)
{
	(void)fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	return -1;
}

/* ---- preparations, done once ---- */

static int mount_clone(const char *path, unsigned recursive)
{
	struct mount_attr attr = {.attr_set =
					  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) < 0)
		return complain(path);
	return fd;
}

static int template_make(struct floor *floor)
{
	static const char *const dirs[] = {
		"lower",      "lower/bench",   "lower/dev",	  "lower/etc",		"lower/opt",
		"lower/proc", "lower/run",     "lower/sys",	  "lower/tmp",		"lower/usr",
		"lower/var",  "lower/var/lib", "lower/workspace", "lower/var/lib/dpkg", "stage"};
	static const char *const links[] = {"bin", "lib", "lib64", "sbin"};
	char path[4200];
	int fd;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", floor->directory, dirs[i]);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return complain(path);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char target[16];

		(void)snprintf(path, sizeof(path), "%s/lower/%s", floor->directory, links[i]);
		(void)snprintf(target, sizeof(target), "usr/%s", links[i]);
		if (symlink(target, path) < 0 && errno != EEXIST)
			return complain(path);
	}
	(void)snprintf(path, sizeof(path), "%s/lower/bench/probe", floor->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return complain(path);
	(void)close(fd);
	(void)snprintf(floor->stage, sizeof(floor->stage), "%s/stage", floor->directory);
	return 0;
}

static int dev_make(void)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},	  {"full", 1, 7},
		     {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	static const char *const dirs[] = {"pts", "shm", "mqueue"};
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
					       {"/proc/self/fd/0", "stdin"},
					       {"/proc/self/fd/1", "stdout"},
					       {"/proc/self/fd/2", "stderr"},
					       {"pts/ptmx", "ptmx"}};
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC), fd;

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return complain("dev");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	(void)close(fs_fd);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (mknodat(fd, nodes[i].name, S_IFCHR | 0666,
			    makedev(nodes[i].major, nodes[i].minor)) < 0)
			return complain("device nodes");
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (mkdirat(fd, dirs[i], 0755) < 0)
			return complain("dev");
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (symlinkat(links[i][0], fd, links[i][1]) < 0)
			return complain("dev");
	}
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return complain("dev");
	return fd;
}

static int filter_make(void)
{
	struct sock_filter program[SECCOMP_PROGRAM_MAX];
	int n = seccomp_program_build(program, false), fd = memfd_create("filter", MFD_CLOEXEC);

	if (n < 0 || fd < 0 || write(fd, program, (size_t)n * sizeof(program[0])) < 0)
		return complain("filter");
	return fd;
}

/* build/bench/floor: floor_init is beside it */
static int init_open(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 8);
	int fd;

	if (length < 0)
		return complain("/proc/self/exe");
	(void)snprintf(path + length, 8, "_init");
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? complain(path) : fd;
}

static int map_write(pid_t pid, const char *file, unsigned base)
{
	char path[64], line[64];
	int fd, length = snprintf(line, sizeof(line), "0 %u %u\n", base, RANGE);
	ssize_t written;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd < 0 ? -1 : write(fd, line, (size_t)length);
	if (fd >= 0)
		(void)close(fd);
	return written == length ? 0 : complain(path);
}

/* Make a user namespace owned by the id of the slot's init, so that init may join and signal it. */
static int userns_make(unsigned index)
{
	long id = (long)(INIT_ID_FIRST + index);
	int ends[2], fd = -1;
	char path[64];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return complain("pipe");
	pid = fork();
	if (pid == 0) {
		if (syscall(SYS_setresgid, id, id, id) == 0 &&
		    syscall(SYS_setresuid, id, id, id) == 0 && unshare(CLONE_NEWUSER) == 0)
			(void)!write(ends[1], "", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ends[1]);
	if (pid > 0 && read(ends[0], path, 1) == 1 &&
	    map_write(pid, "uid_map", BASE_FIRST + index * RANGE) == 0 &&
	    map_write(pid, "gid_map", BASE_FIRST + index * RANGE) == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	(void)close(ends[0]);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	return fd < 0 ? complain("user namespace") : fd;
}

static int slot_make(struct floor *floor, unsigned index)
{
	struct slot *slot = &floor->slots[index];
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	char path[4200];

	if (slot->userns_fd > 0)
		return 0;
	slot->stack = malloc(STACK_BYTES);
	slot->userns_fd = userns_make(index);
	if (slot->userns_fd < 0 || !slot->stack)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/lower", floor->directory);
	slot->lower_fd = mount_clone(path, 0);
	attr.userns_fd = (uint64_t)slot->userns_fd;
	if (slot->lower_fd < 0 ||
	    mount_setattr(slot->lower_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return complain("id-mapped mount");
	return 0;
}

/* ---- network namespaces ahead of time ---- */

/* A network namespace belongs to a thread, so this needs no process of its own. */
static int netns_make(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, socket_fd;

	if (unshare(CLONE_NEWNET) < 0)
		return complain("network namespace");
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (socket_fd < 0 || ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0)
		return complain("loopback");
	(void)close(socket_fd);
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? complain("network namespace") : fd;
}

static void *pool_main(void *argument)
{
	struct floor *floor = argument;
	int fd;

	while ((fd = netns_make()) >= 0) {
		(void)pthread_mutex_lock(&floor->lock);
		while (floor->n_pool == POOL_MAX)
			(void)pthread_cond_wait(&floor->wanted, &floor->lock);
		floor->pool[floor->n_pool++] = fd;
		(void)pthread_mutex_unlock(&floor->lock);
	}
	return NULL;
}

static int pool_take(struct floor *floor)
{
	int fd = -1;

	(void)pthread_mutex_lock(&floor->lock);
	if (floor->n_pool > 0)
		fd = floor->pool[--floor->n_pool];
	(void)pthread_cond_signal(&floor->wanted);
	(void)pthread_mutex_unlock(&floor->lock);
	return fd; /* -1: clone3 makes one */
}

/* ---- starting ---- */

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

/* Copy a detached mount by its descriptor, without a path. */
static int copy(int mount_fd, unsigned recursive)
{
	return open_tree(mount_fd, "",
			 AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
}

static int group_make(struct floor *floor, struct slot *slot)
{
	char name[32];

	if (floor->cgroup_fd < 0)
		return -1;
	slot->group = __atomic_add_fetch(&floor->n_groups, 1, __ATOMIC_RELAXED);
	(void)snprintf(name, sizeof(name), "%lu", slot->group);
	if (mkdirat(floor->cgroup_fd, name, 0755) < 0)
		return -1;
	return openat(floor->cgroup_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long launch(struct slot *slot, struct floor_step *step, int group_fd)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_NEWNS |
			 CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
		.pidfd = (uint64_t)(uintptr_t)&slot->pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)slot->stack,
		.stack_size = STACK_BYTES,
	};

	if (step->netns_fd < 0)
		args.flags |= CLONE_NEWNET;
	if (group_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group_fd;
	}
	return clone3_call(&args, floor_step_main, step);
}

static int floor_start(void *context, unsigned index, int stdout_fd, int *ret_end_fd)
{
	struct floor *floor = context;
	struct slot *slot = &floor->slots[index];
	struct floor_step step = {
		.stage = floor->stage,
		.bind_targets = floor->bind_targets,
		.n_binds = floor->n_binds,
		.base = BASE_FIRST + index * RANGE,
		.init_id = INIT_ID_FIRST + index,
		.stdin_fd = floor->stdin_fd,
		.stdout_fd = stdout_fd,
		.filter_fd = floor->filter_fd,
		.init_fd = floor->init_fd,
		.waits = floor->waits,
	};
	int group_fd;
	long pid;

	if (slot_make(floor, index) < 0)
		return -1;
	step.userns_fd = slot->userns_fd;
	step.netns_fd = floor->pooled ? pool_take(floor) : -1;
	group_fd = group_make(floor, slot);
	step.lower_fd = copy(slot->lower_fd, 0);
	step.dev_fd = copy(floor->dev_fd, 0);
	step.probe_fd = copy(floor->probe_fd, 0);
	for (unsigned i = 0; i < floor->n_binds; i++)
		step.bind_fds[i] = copy(floor->bind_fds[i], AT_RECURSIVE);
	pid = launch(slot, &step, group_fd);
	(void)close(step.lower_fd);
	(void)close(step.dev_fd);
	(void)close(step.probe_fd);
	for (unsigned i = 0; i < floor->n_binds; i++)
		(void)close(step.bind_fds[i]);
	if (step.netns_fd >= 0)
		(void)close(step.netns_fd);
	if (group_fd >= 0)
		(void)close(group_fd);
	if (pid < 0) {
		errno = (int)-pid;
		return complain("clone3");
	}
	if (step.failed) {
		errno = step.number;
		return complain(step.failed);
	}
	*ret_end_fd = slot->pidfd;
	return 0;
}

static int floor_finish(void *context, unsigned index)
{
	struct floor *floor = context;
	struct slot *slot = &floor->slots[index];
	siginfo_t info = {0};
	char name[32];

	while (waitid(P_PIDFD, (id_t)slot->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	(void)close(slot->pidfd);
	if (floor->cgroup_fd >= 0) {
		(void)snprintf(name, sizeof(name), "%lu", slot->group);
		(void)unlinkat(floor->cgroup_fd, name, AT_REMOVEDIR);
	}
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	(void)fprintf(stderr, "floor: ended with %d\n", info.si_status);
	return -1;
}

/* ---- program ---- */

static int floor_option(void *context, int letter, const char *argument)
{
	struct floor *floor = context;

	if (letter == 'P')
		floor->pooled = true;
	else if (letter == 'w')
		floor->waits = true;
	else if (letter == 'd')
		floor->directory = argument;
	else if (letter == 'c')
		floor->cgroup_fd = open(argument, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return letter == 'c' && floor->cgroup_fd < 0 ? complain(argument) : 0;
}

static int floor_prepare(void *context)
{
	/* the directories of image "host" */
	static const char *const shown[] = {"/usr", "/opt", "/var/lib/dpkg"};
	struct floor *floor = context;
	pthread_t thread;

	if (!floor->directory) {
		(void)fprintf(stderr, "floor: -d DIR is missing\n");
		return -1;
	}
	/* a detached mount can be copied only in the mount namespace that made it */
	if (template_make(floor) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (access(shown[i], F_OK) < 0)
			continue;
		floor->bind_targets[floor->n_binds] = shown[i];
		floor->bind_fds[floor->n_binds] = mount_clone(shown[i], AT_RECURSIVE);
		if (floor->bind_fds[floor->n_binds++] < 0)
			return -1;
	}
	floor->probe_fd = mount_clone(floor->probe, 0);
	floor->dev_fd = dev_make();
	floor->filter_fd = filter_make();
	floor->init_fd = init_open();
	floor->stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (floor->probe_fd < 0 || floor->dev_fd < 0 || floor->filter_fd < 0 ||
	    floor->init_fd < 0 || floor->stdin_fd < 0)
		return -1;
	if (!floor->pooled)
		return 0;
	if (pthread_create(&thread, NULL, pool_main, floor) != 0)
		return -1;
	for (unsigned n = 0; n < POOL_MAX;) { /* wait until the pool is full */
		(void)usleep(1000);
		(void)pthread_mutex_lock(&floor->lock);
		n = floor->n_pool;
		(void)pthread_mutex_unlock(&floor->lock);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct bench_ops ops = {.start = floor_start, .finish = floor_finish};
	static struct floor floor = {
		.cgroup_fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wanted = PTHREAD_COND_INITIALIZER,
	};

	if (argc < 2) {
		(void)fprintf(stderr, "usage: floor [OPTIONS] -d DIR PROBE\n");
		return 2;
	}
	floor.probe = argv[argc - 1];
	return bench_main(argc, argv, "floor", "Pwd:c:", floor_option, floor_prepare, &ops, &floor);
}
