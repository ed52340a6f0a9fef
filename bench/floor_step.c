/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the floor inside the new namespaces, from clone3 to exec. */
#include "bench/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STRICT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static bool failed(struct floor_step *step, const char *what)
{
	step->failed = what;
	step->number = errno;
	return false;
}

/* @options: key, value, key, value, NULL */
static int fs_make(const char *type, const char *const *options, unsigned attributes)
{
	int fs_fd = fsopen(type, FSOPEN_CLOEXEC), fd;

	if (fs_fd < 0)
		return -1;
	for (; options && *options; options += 2) {
		if (fsconfig(fs_fd, FSCONFIG_SET_STRING, options[0], options[1], 0) < 0)
			return -1;
	}
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	(void)close(fs_fd);
	return fd;
}

static bool attach(int fd, int at_fd, const char *target)
{
	bool good = fd >= 0 && move_mount(fd, "", at_fd, target, MOVE_MOUNT_F_EMPTY_PATH) == 0;

	if (fd >= 0)
		(void)close(fd);
	return good;
}

static bool file_write(const char *path, int flags, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0444);
	bool good = fd >= 0 && write(fd, text, length) == (ssize_t)length;

	if (fd >= 0)
		(void)close(fd);
	return good;
}

static bool system_names(struct floor_step *step)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failed(step, "private");
	if (unshare(CLONE_NEWCGROUP) < 0)
		return failed(step, "cgroup namespace");
	/* exec enters the time namespace */
	if (unshare(CLONE_NEWTIME) < 0 ||
	    !file_write("/proc/self/timens_offsets", 0, "monotonic 86400 0\nboottime 86400 0\n"))
		return failed(step, "time namespace");
	if (sethostname("bench", 5) < 0)
		return failed(step, "hostname");
	if (step->netns_fd >= 0) {
		if (setns(step->netns_fd, CLONE_NEWNET) < 0)
			return failed(step, "join the network");
	} else {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
			return failed(step, "loopback");
		(void)close(fd);
	}
	return true;
}

static bool scratch(struct floor_step *step, int *ret_fd)
{
	char owner[16];
	const char *const options[] = {"size", "1g",  "nr_inodes", "100k", "mode", "0755",
				       "uid",  owner, "gid",	   owner,  NULL};
	static const char *const dirs[] = {"lower", "upper", "work", "root",
					   "tmp",   "run",   "shm",  "workspace"};
	int fd;

	(void)snprintf(owner, sizeof(owner), "%u", step->base);
	fd = fs_make("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0 || move_mount(fd, "", AT_FDCWD, step->stage, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(fd) < 0)
		return failed(step, "scratch");
	(void)umask(0);
	(void)setfsgid(step->base);
	(void)setfsuid(step->base);
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (mkdir(dirs[i], i < 4 ? 0755 : 01777) < 0)
			return failed(step, dirs[i]);
	}
	if (!file_write("boot_id", O_CREAT, "00000000-0000-4000-8000-000000000000\n"))
		return failed(step, "boot_id");
	(void)setfsuid(0);
	(void)setfsgid(0);
	*ret_fd = fd;
	return true;
}

static bool root(struct floor_step *step, int *ret_fd)
{
	static const char *const options[] = {"source", "overlay", "lowerdir", "lower", "upperdir",
					      "upper",	"workdir", "work",     NULL};
	int fd;

	if (!attach(step->lower_fd, AT_FDCWD, "lower"))
		return failed(step, "lower");
	fd = fs_make("overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0 || move_mount(fd, "", AT_FDCWD, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return failed(step, "overlay");
	for (unsigned i = 0; i < step->n_binds; i++) {
		if (!attach(step->bind_fds[i], fd, step->bind_targets[i] + 1))
			return failed(step, step->bind_targets[i]);
	}
	if (!attach(step->probe_fd, fd, "bench/probe"))
		return failed(step, "probe");
	*ret_fd = fd;
	return true;
}

static bool mask(struct floor_step *step, int root_fd)
{
	/* of the files that runtimes mask, those that Linux 6 has on x86-64 */
	static const char *const masked[] = {
		"proc/interrupts",    "proc/kallsyms",	 "proc/kcore",	"proc/keys",
		"proc/sysrq-trigger", "proc/timer_list", "sys/firmware"};
	static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/pressure",
						"proc/sys"};
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | STRICT};

	for (unsigned i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		struct stat st;

		if (fstatat(root_fd, masked[i], &st, 0) < 0)
			continue;
		if (!attach(open_tree(root_fd, S_ISDIR(st.st_mode) ? "dev/pts" : "dev/null",
				      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
			    root_fd, masked[i]))
			return failed(step, masked[i]);
	}
	for (unsigned i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		int fd = open_tree(root_fd, read_only[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

		if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
			return failed(step, read_only[i]);
		if (fd >= 0 && !attach(fd, root_fd, read_only[i]))
			return failed(step, read_only[i]);
	}
	return true;
}

static bool filesystems(struct floor_step *step, int root_fd)
{
	static const char *const bound[] = {"tmp", "run", "workspace"};
	char gid[16];
	const char *const pts[] = {"mode", "0620", "ptmxmode", "0666", "gid", gid, NULL};

	(void)snprintf(gid, sizeof(gid), "%u", step->base + 5);
	if (!attach(step->dev_fd, root_fd, "dev"))
		return failed(step, "dev");
	if (!attach(fs_make("proc", NULL, STRICT), root_fd, "proc"))
		return failed(step, "proc");
	if (!attach(fs_make("sysfs", NULL, STRICT | MOUNT_ATTR_RDONLY), root_fd, "sys"))
		return failed(step, "sysfs");
	(void)attach(fs_make("cgroup2", NULL, STRICT | MOUNT_ATTR_RDONLY), root_fd,
		     "sys/fs/cgroup");
	if (!mask(step, root_fd))
		return false;
	if (!attach(open_tree(AT_FDCWD, "boot_id", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), root_fd,
		    "proc/sys/kernel/random/boot_id"))
		return failed(step, "boot_id");
	if (!attach(fs_make("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), root_fd,
		    "dev/pts"))
		return failed(step, "devpts");
	(void)attach(fs_make("mqueue", NULL, STRICT), root_fd, "dev/mqueue");
	if (!attach(open_tree(AT_FDCWD, "shm", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), root_fd,
		    "dev/shm"))
		return failed(step, "shm");
	for (unsigned i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		if (!attach(open_tree(AT_FDCWD, bound[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
			    root_fd, bound[i]))
			return failed(step, bound[i]);
	}
	return true;
}

static bool descriptors(struct floor_step *step)
{
	const int wanted[FLOOR_FD_NUM] = {step->stdin_fd,  step->stdout_fd, step->stdout_fd,
					  step->userns_fd, step->filter_fd, step->init_fd};
	int high[FLOOR_FD_NUM];

	for (int i = 0; i < FLOOR_FD_NUM; i++) {
		high[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, FLOOR_FD_NUM);
		if (high[i] < 0)
			return failed(step, "descriptors");
	}
	for (int i = 0; i < FLOOR_FD_NUM; i++) {
		if (dup3(high[i], i, i == FLOOR_FD_INIT ? O_CLOEXEC : 0) < 0)
			return failed(step, "descriptors");
	}
	if (syscall(SYS_close_range, FLOOR_FD_NUM, ~0U, 0) < 0)
		return failed(step, "close descriptors");
	return true;
}

/* Raw system calls: glibc's setuid() would signal the threads of the parent, which shares memory. */
static void become_init(struct floor_step *step)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	const char *argv[] = {"floor_init", "/bench/probe", step->waits ? "stay" : NULL, NULL},
		   *envp[] = {NULL};
	struct rlimit core = {.rlim_cur = 1, .rlim_max = 1};
	long id = (long)step->init_id;

	if (setrlimit(RLIMIT_CORE, &core) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
	    syscall(SYS_setresuid, id, id, id) < 0 || syscall(SYS_capset, &header, none) < 0)
		(void)failed(step, "drop privileges");
	else
		(void)syscall(SYS_execveat, FLOOR_FD_INIT, "", argv, envp, AT_EMPTY_PATH);
	(void)failed(step, "exec");
}

int floor_step_main(void *argument)
{
	struct floor_step *step = argument;
	int scratch_fd, root_fd;

	if (!system_names(step) || !scratch(step, &scratch_fd) || !root(step, &root_fd) ||
	    !filesystems(step, root_fd))
		return 1;
	if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
		(void)failed(step, "pivot");
		return 1;
	}
	if (descriptors(step))
		become_init(step);
	return 1;
}
