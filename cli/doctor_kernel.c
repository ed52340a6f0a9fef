/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the kernel. Each feature is used; version numbers are not trusted. */

#include "cli/doctor.h"

#include "cli/doctor_link.h"
#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define KERNEL_FIX "run a kernel of version 5.15 or newer"

/* Call with invalid arguments: any error except ENOSYS means that the system call exists. */
static void check_kernel(struct cli *cli, struct doctor_finding *finding)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{"clone3", SYS_clone3},
		{"openat2", SYS_openat2},
		{"close_range", SYS_close_range},
		{"pidfd_open", SYS_pidfd_open},
		{"pidfd_send_signal", SYS_pidfd_send_signal},
		{"open_tree", SYS_open_tree},
		{"move_mount", SYS_move_mount},
		{"fsopen", SYS_fsopen},
		{"mount_setattr", SYS_mount_setattr},
	};
	struct utsname name;

	(void)uname(&name);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (syscall(calls[i].number, -1, -1, -1, -1, -1, -1) == -1 && errno == ENOSYS) {
			doctor_bad(finding, DOCTOR_FAILED, KERNEL_FIX, "%s lacks %s", name.release,
				   calls[i].name);
			return;
		}
	}
	doctor_ok(finding, "%s has the calls that sandboxes are built with", name.release);
}

/* ---- cgroup v2 ---- */

/* Find the mount point of cgroup v2 in /proc/self/mountinfo. */
static bool find_cgroup(char *out, size_t size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], mount_point[2048];

	while (file && fgets(line, sizeof(line), file)) {
		const char *type = strstr(line, " - ");

		if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %2047s", mount_point) == 1) {
			(void)snprintf(out, size, "%s", mount_point);
			return true;
		}
	}
	return false;
}

static void check_cgroup(struct cli *cli, struct doctor_finding *finding)
{
	char mount_point[2048], path[PATH_MAX], child[64];
	int made;

	if (!find_cgroup(mount_point, sizeof(mount_point))) {
		doctor_bad(
			finding, DOCTOR_FAILED,
			"mount it: mount -t cgroup2 none /sys/fs/cgroup (systemd does by default)",
			"cgroup v2 is not mounted");
		return;
	}
	if (!doctor_need_root(finding))
		return;
	(void)snprintf(child, sizeof(child), "runbookctl-doctor-%d", (int)getpid());
	(void)snprintf(path, sizeof(path), "%s/%s", mount_point, child);
	made = mkdir(path, 0755);
	if (made < 0) {
		doctor_bad(finding, DOCTOR_FAILED,
			   "give runbookd a delegated group (its unit has Delegate=yes), or a "
			   "writable cgroup mount",
			   "cannot make a group in %s: %s", mount_point, strerror(errno));
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s/cgroup.kill", mount_point, child);
	if (access(path, W_OK) < 0)
		doctor_bad(finding, DOCTOR_FAILED, KERNEL_FIX, "%s has no cgroup.kill",
			   mount_point);
	else
		doctor_ok(finding, "%s, groups can be made and killed", mount_point);
	(void)snprintf(path, sizeof(path), "%s/%s", mount_point, child);
	(void)rmdir(path);
}

static void check_controllers(struct cli *cli, struct doctor_finding *finding)
{
	static const struct {
		const char *name;
		bool needed; /* without it steps do not run */
	} wanted[] = {{"memory", true}, {"pids", true}, {"cpu", false}, {"io", false}};
	char mount_point[2048], path[PATH_MAX], have[1024] = "", missing[64] = "";
	enum doctor_result worst = DOCTOR_WARNING;
	cleanup_fclose FILE *file = NULL;

	if (!find_cgroup(mount_point, sizeof(mount_point))) {
		doctor_bad(finding, DOCTOR_FAILED, "see cgroup", "no cgroup v2");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", mount_point);
	file = fopen(path, "re");
	if (file && !fgets(have, sizeof(have), file))
		have[0] = '\0';
	have[strcspn(have, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool found = false;

		for (const char *word = have; *word; word += strspn(word, " ")) {
			size_t length = strcspn(word, " ");

			found = found || (length == strlen(wanted[i].name) &&
					  strncmp(word, wanted[i].name, length) == 0);
			word += length;
		}
		if (found)
			continue;
		(void)snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
			       wanted[i].name);
		if (wanted[i].needed)
			worst = DOCTOR_FAILED;
	}
	if (!missing[0])
		doctor_ok(finding, "memory, pids, cpu and io");
	else
		doctor_bad(finding, worst,
			   "boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all); "
			   "until then [Daemon] Limits=best-effort runs steps without these limits",
			   "not in cgroup v2:%s", missing);
}

/* ---- namespaces ---- */

static int try_unshare(void *user)
{
	return unshare(*(int *)user) < 0 ? -errno : 0;
}

static void check_namespaces(struct cli *cli, struct doctor_finding *finding)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {
		{"user", CLONE_NEWUSER},     {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},
		{"net", CLONE_NEWNET},	     {"ipc", CLONE_NEWIPC},  {"uts", CLONE_NEWUTS},
		{"cgroup", CLONE_NEWCGROUP},
	};
	int time_flag = CLONE_NEWTIME;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int flags = kinds[i].flag | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
		int result = doctor_try(try_unshare, &flags);

		if (result == 0)
			continue;
		doctor_bad(
			finding, DOCTOR_FAILED,
			result == -ENOSPC || result == -EPERM
				? "raise user.max_*_namespaces (sysctl), and allow user namespaces"
				: "use a kernel built with all namespaces (CONFIG_*_NS)",
			"cannot make a %s namespace: %s", kinds[i].name, strerror(-result));
		return;
	}
	if (geteuid() == 0 && doctor_try(try_unshare, &time_flag) != 0)
		doctor_ok(finding, "all but time (not needed)");
	else
		doctor_ok(finding, "user, mount, pid, net, ipc, uts, cgroup");
}

/* Make a private mount namespace with a tmpfs at /tmp, in which checks can mount. */
static int private_tmpfs(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755") < 0)
		return -errno;
	return 0;
}

static int try_overlay(void *user)
{
	static const char *const directories[] = {"/tmp/l", "/tmp/u", "/tmp/w", "/tmp/m"};
	cleanup_close int fd = -1;
	int result = private_tmpfs();

	if (result < 0)
		return result;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdir(directories[i], 0755) < 0)
			return -errno;
	fd = open("/tmp/l/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 ||
	    mount("overlay", "/tmp/m", "overlay", 0,
		  "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w") < 0 ||
	    chmod("/tmp/m/file", 0600) < 0) /* copies it up */
		return -errno;
	return access("/tmp/u/file", F_OK) < 0 ? -errno : 0;
}

static void check_overlay(struct cli *cli, struct doctor_finding *finding)
{
	int result;

	if (!doctor_need_root(finding))
		return;
	result = doctor_try(try_overlay, NULL);
	if (result == 0)
		doctor_ok(finding, "overlay mounts with a tmpfs on top");
	else
		doctor_bad(finding, DOCTOR_FAILED, "modprobe overlay",
			   "cannot mount an overlay: %s", strerror(-result));
}

/* Open a user namespace that maps id 1000 inside to 1001 outside. Return: fd or -errno. */
static int open_user_namespace(void)
{
	static const char map[] = "1000 1001 1\n";
	char path[64];
	int ready[2], fd;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char byte = (char)(unshare(CLONE_NEWUSER) < 0 ? errno : 0);

		(void)fd_write_all(ready[1], &byte, 1);
		(void)pause();
		_exit(0);
	}
	fd = pid < 0 ? -errno : -EIO;
	(void)close(ready[1]);
	if (pid > 0) {
		static const char *const maps[] = {"uid_map", "gid_map"};
		char byte = 1;

		(void)fd_read_all(ready[0], &byte, 1);
		for (size_t i = 0; i < ARRAY_SIZE(maps) && byte == 0; i++) {
			cleanup_close int map_fd = -1;

			(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, maps[i]);
			map_fd = open(path, O_WRONLY | O_CLOEXEC);
			if (map_fd < 0 || fd_write_all(map_fd, map, strlen(map)) < 0)
				byte = (char)errno;
		}
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = byte == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -byte;
		if (fd == -1)
			fd = -errno;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	(void)close(ready[0]);
	return fd;
}

/* Make an id-mapped clone of the mount with @user, which is a path. */
static int try_idmapped(void *user)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	cleanup_close int userns_fd = -1, tree = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	userns_fd = open_user_namespace();
	if (userns_fd < 0)
		return userns_fd;
	tree = open_tree(AT_FDCWD, user, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	attr.userns_fd = (unsigned)userns_fd;
	return mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static void check_idmapped(struct cli *cli, struct doctor_finding *finding)
{
	char path[PATH_MAX];
	int result;

	if (!doctor_need_root(finding))
		return;
	/* the file system of the trees, or the nearest parent directory that exists */
	(void)snprintf(path, sizeof(path), "%s", cli->paths.lib);
	while (access(path, F_OK) < 0 && strrchr(path, '/') != path)
		*strrchr(path, '/') = '\0';
	if (access(path, F_OK) < 0)
		(void)snprintf(path, sizeof(path), "/");
	result = doctor_try(try_idmapped, path);
	if (result == 0)
		doctor_ok(finding, "on the file system of %s", path);
	else
		doctor_bad(finding, DOCTOR_FAILED,
			   "keep the state directory on ext4, xfs, btrfs or tmpfs with kernel 5.15 "
			   "or newer",
			   "not on the file system of %s: %s", path, strerror(-result));
}

/* ---- io_uring, seccomp, Landlock ---- */

static void check_io_uring(struct cli *cli, struct doctor_finding *finding)
{
	struct io_uring_params parameters = {0};
	long fd = syscall(SYS_io_uring_setup, 8, &parameters);

	if (fd >= 0) {
		(void)close((int)fd);
		doctor_ok(finding, "logs are pumped with it");
		return;
	}
	doctor_bad(finding, DOCTOR_WARNING,
		   "sysctl kernel.io_uring_disabled=0 (or a kernel with CONFIG_IO_URING)",
		   "refused (%s): logs are pumped with read and write instead", strerror(errno));
}

static int try_seccomp(void *user)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTUNIQ),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return syscall(SYS_getppid) == -1 && errno == ENOTUNIQ ? 0 : -EOPNOTSUPP;
}

static void check_seccomp(struct cli *cli, struct doctor_finding *finding)
{
	int result = doctor_try(try_seccomp, NULL);

	if (result == 0)
		doctor_ok(finding, "a filter was loaded and refused a call");
	else
		doctor_bad(finding, DOCTOR_FAILED, "use a kernel with CONFIG_SECCOMP_FILTER",
			   "no filter can be loaded: %s", strerror(-result));
}

static int try_landlock(void *user)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
	long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : -EOPNOTSUPP;
}

static void check_landlock(struct cli *cli, struct doctor_finding *finding)
{
	int result = doctor_try(try_landlock, NULL);

	if (result == 0)
		doctor_ok(finding, "keeps runbookd's own processes in their directories");
	else
		doctor_bad(
			finding, DOCTOR_WARNING,
			"add landlock to the kernel's lsm= list (it is a second barrier: user ids "
			"and file modes protect without it)",
			"refused: %s", strerror(-result));
}

const struct doctor_check doctor_kernel_checks[] = {
	{"kernel", check_kernel},	    {"cgroup", check_cgroup},
	{"controllers", check_controllers}, {"namespaces", check_namespaces},
	{"overlay", check_overlay},	    {"idmapped mounts", check_idmapped},
	{"seccomp", check_seccomp},	    {"landlock", check_landlock},
	{"io_uring", check_io_uring},	    {NULL, NULL},
};
