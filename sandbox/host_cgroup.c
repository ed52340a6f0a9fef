/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_cgroup.h"

#include "common/cleanup.h"
#include "sandbox/host_group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- small files ---- */

int cgroup_file_write(int dir_fd, const char *file, const char *text)
{
	cleanup_close int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

int cgroup_file_read(int dir_fd, const char *file, char *text, size_t size)
{
	cleanup_close int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	text[got < 0 ? 0 : got] = '\0';
	return got < 0 ? -errno : 0;
}

/* Is @word one of the blank-separated words of @text? */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *found = text; (found = strstr(found, word)); found += length) {
		char after = found[length];

		if ((found == text || found[-1] == ' ') &&
		    (after == '\0' || after == ' ' || after == '\n'))
			return true;
	}
	return false;
}

/* ---- finding our own group ---- */

/* Opens a mount of the whole hierarchy, or a detached mount of our own. */
static int open_hierarchy(void)
{
	cleanup_fclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	cleanup_close int fs_fd = -1;
	char line[4096], root[1024], point[1024];

	while (mounts && fgets(line, sizeof(line), mounts)) {
		if (!strstr(line, " - cgroup2 ") ||
		    sscanf(line, "%*d %*d %*s %1023s %1023s", root, point) != 2 ||
		    strcmp(root, "/") != 0)
			continue;
		int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
	}
	fs_fd = fsopen("cgroup2", FSOPEN_CLOEXEC);
	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

	return fd < 0 ? -errno : fd;
}

/* If we are in the leaf that move_to_leaf() makes, our own group is the one above. */
static void leave_leaf(char *path, const char *name)
{
	char leaf[80];
	size_t length = strlen(path);
	size_t tail = (size_t)snprintf(leaf, sizeof(leaf), "/%s.self", name);

	if (length >= tail && strcmp(path + length - tail, leaf) == 0)
		path[length - tail] = '\0';
}

/* Our own group, relative to the root of the hierarchy, without our leaf. */
static int own_group_path(const char *name, char *path, size_t size)
{
	cleanup_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		leave_leaf(line + 3, name);
		(void)snprintf(path, size, "%s", line[3] && line[4] ? line + 4 : ".");
		return 0;
	}
	return -ENOENT;
}

/* Is this process in the group? Only the first page of its list is read. */
static bool contains_us(int fd)
{
	char pids[4096], *save = NULL;

	if (cgroup_file_read(fd, "cgroup.procs", pids, sizeof(pids)) < 0)
		return false;
	for (const char *pid = strtok_r(pids, "\n", &save); pid;
	     pid = strtok_r(NULL, "\n", &save)) {
		if (strtol(pid, NULL, 10) == getpid())
			return true;
	}
	return false;
}

/*
 * Opens our own group beneath the usual place, without reading the list of all mounts, which is
 * long where there are containers. What is mounted there may be a part of the hierarchy only, so
 * the group must be the one that has us.
 */
static int open_own_usual(const char *path)
{
	cleanup_close int root_fd = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;
	struct statfs fs;

	if (root_fd < 0 || fstatfs(root_fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOENT;
	fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && contains_us(fd) ? TAKE_FD(fd) : -ENOENT;
}

static int open_own_group(const char *parent, const char *name)
{
	cleanup_close int root_fd = -1;
	char path[4096];
	int fd;

	if (parent) {
		(void)snprintf(path, sizeof(path), "%s", parent + strspn(parent, "/"));
	} else {
		int r = own_group_path(name, path, sizeof(path));

		if (r < 0)
			return r;
		fd = open_own_usual(path);
		if (fd >= 0)
			return fd;
	}
	root_fd = open_hierarchy();
	if (root_fd < 0)
		return root_fd;
	fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- controllers ---- */

/*
 * Only the root (which has no cgroup.type) may both contain processes and enable controllers
 * for its children. An attempt elsewhere would half succeed: cpu and pids are enabled, the
 * group becomes threaded, and no group beneath it can contain a process any more.
 */
static bool may_enable_controllers(int fd)
{
	char pids[16];

	return faccessat(fd, "cgroup.type", F_OK, 0) < 0 ||
	       (cgroup_file_read(fd, "cgroup.procs", pids, sizeof(pids)) == 0 && pids[0] == '\0');
}

/* Enables the available controllers for groups beneath, if that is possible. */
static void enable_controllers(int fd)
{
	static const char *const wanted[] = {"memory", "pids", "cpu", "io"};
	char available[512];

	if (!may_enable_controllers(fd) ||
	    cgroup_file_read(fd, "cgroup.controllers", available, sizeof(available)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		char word[16];

		(void)snprintf(word, sizeof(word), "+%s", wanted[i]);
		if (has_word(available, wanted[i]))
			(void)cgroup_file_write(fd, "cgroup.subtree_control", word);
	}
}

/* @file: cgroup.subtree_control for those that child groups have. Return: whether it has all. */
static bool controllers_read(int fd, const char *file, struct cgroup_host *host)
{
	char enabled[512] = "";

	(void)cgroup_file_read(fd, file, enabled, sizeof(enabled));
	host->memory = has_word(enabled, "memory");
	host->pids = has_word(enabled, "pids");
	host->cpu = has_word(enabled, "cpu");
	host->io = has_word(enabled, "io");
	return host->memory && host->pids && host->cpu;
}

/* systemd marks the groups of units with Delegate=yes by an extended attribute. */
static bool delegated(int fd)
{
	char value[8];

	return fgetxattr(fd, "user.delegate", value, sizeof(value)) > 0 ||
	       fgetxattr(fd, "trusted.delegate", value, sizeof(value)) > 0;
}

/* A group with processes cannot enable controllers for others: move to a leaf of our own. */
static void move_to_leaf(struct cgroup_host *host)
{
	char leaf[80], file[96], pids[4096];

	(void)snprintf(leaf, sizeof(leaf), "%s.self", host->name);
	(void)snprintf(file, sizeof(file), "%s/cgroup.procs", leaf);
	if (mkdirat(host->own_fd, leaf, 0755) < 0 && errno != EEXIST)
		return;
	/* repeat for processes that were forked meanwhile */
	for (int attempt = 0; attempt < 10 && !may_enable_controllers(host->own_fd); attempt++) {
		(void)cgroup_file_read(host->own_fd, "cgroup.procs", pids, sizeof(pids));
		for (char *save = NULL, *pid = strtok_r(pids, "\n", &save); pid;
		     pid = strtok_r(NULL, "\n", &save))
			(void)cgroup_file_write(host->own_fd, file, pid);
	}
}

static int open_group(struct cgroup_host *host)
{
	int fd = -ESTALE;
	char limit[24];

	/* repeat if another program ends and removes the group in between */
	for (int attempt = 0; fd == -ESTALE && attempt < 100; attempt++) {
		/* root only: a user that can open a step's group could hold its lock */
		if (mkdirat(host->own_fd, host->name, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = cgroup_group_hold(host->own_fd, host->name);
	}
	if (fd < 0)
		return fd;
	enable_controllers(fd);
	/* without the controller there is nothing to write to */
	(void)snprintf(limit, sizeof(limit), "%" PRIu64, host->memory_max);
	if (host->memory_max > 0)
		(void)cgroup_file_write(fd, "memory.max", limit);
	return fd;
}

int cgroup_host_regroup(struct cgroup_host *host)
{
	int fd = open_group(host);

	if (fd < 0)
		return fd;
	(void)close(host->group_fd);
	host->group_fd = fd;
	return 0;
}

/* Names the missing ones of memory, pids and cpu, and the fix. */
static void set_warning(struct cgroup_host *host, bool groups)
{
	char missing[64] = "";

	if (host->memory && host->pids && host->cpu)
		return;
	if (groups)
		(void)snprintf(missing, sizeof(missing), "%s%s%s", host->memory ? "" : " memory",
			       host->pids ? "" : " pids", host->cpu ? "" : " cpu");
	(void)snprintf(host->warning, sizeof(host->warning),
		       "%s%s: start it in a delegated group, e.g. by its systemd unit or with "
		       "systemd-run -p Delegate=yes, on a host with cgroup v2 only",
		       groups ? "cannot limit steps: cgroup v2 controllers missing:"
			      : "cannot limit memory, processes or processor time of steps (no "
				"writable cgroup v2)",
		       missing);
}

/* There is a line beneath the heading. Without the file the kernel has no swap support. */
static bool swap_in_use(const struct cgroup_host *host)
{
	cleanup_fclose FILE *file = fopen(host->swaps, "re");
	char line[4096];

	return file && fgets(line, sizeof(line), file) && fgets(line, sizeof(line), file);
}

#define SWAP_PROBLEM                                                                               \
	"cannot keep steps from going beyond their memory limit by swapping (this kernel has no "  \
	"memory.swap.max, and the host has swap): boot with swapaccount=1 or run swapoff -a"

const char *cgroup_swap_problem(const struct cgroup_host *host)
{
	return swap_in_use(host) ? SWAP_PROBLEM : NULL;
}

void cgroup_host_check_swap(struct cgroup_host *host, int group_fd)
{
	size_t used = strlen(host->warning);

	if (host->memory && faccessat(group_fd, "memory.swap.max", F_OK, 0) < 0 &&
	    errno == ENOENT && swap_in_use(host))
		(void)snprintf(host->warning + used, sizeof(host->warning) - used, "%s%s",
			       used ? "; " : "", SWAP_PROBLEM);
}

int cgroup_host_open(struct cgroup_host *host, const char *parent, const char *name,
		     enum sandbox_limits_policy policy, uint64_t memory_max, struct error *error)
{
	struct cgroup_host unused;

	*host = (struct cgroup_host){.own_fd = -1,
				     .group_fd = -1,
				     .memory_max = memory_max,
				     .required = policy == SANDBOX_LIMITS_REQUIRED,
				     .swaps = "/proc/swaps"};
	(void)snprintf(host->name, sizeof(host->name), "%s", name);
	host->own_fd = open_own_group(parent, host->name);
	if (host->own_fd < 0 && parent)
		host->own_fd = open_own_group(NULL, host->name);
	if (host->own_fd >= 0) {
		enable_controllers(host->own_fd);
		if (!controllers_read(host->own_fd, "cgroup.subtree_control", &unused) &&
		    delegated(host->own_fd)) {
			move_to_leaf(host);
			enable_controllers(host->own_fd);
		}
		host->group_fd = open_group(host);
	}
	if (host->group_fd >= 0)
		(void)controllers_read(host->group_fd, "cgroup.subtree_control", host);
	set_warning(host, host->group_fd >= 0);
	cgroup_host_check_swap(host, host->group_fd);
	if (host->warning[0] && host->required) {
		cgroup_host_close(host);
		return error_set(error, ENOTSUP, "%s", host->warning);
	}
	return 0;
}

bool cgroup_host_probe(struct cgroup_host *host, const char *name)
{
	struct statvfs fs;
	bool groups;

	*host = (struct cgroup_host){.own_fd = -1, .group_fd = -1, .swaps = "/proc/swaps"};
	(void)snprintf(host->name, sizeof(host->name), "%s", name);
	host->own_fd = open_own_group(NULL, host->name);
	groups = host->own_fd >= 0 && fstatvfs(host->own_fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY);
	if (groups)
		(void)controllers_read(host->own_fd,
				       may_enable_controllers(host->own_fd) ||
						       delegated(host->own_fd)
					       ? "cgroup.controllers"
					       : "cgroup.subtree_control",
				       host);
	set_warning(host, groups);
	/* the root group, which has no type, has no limit files to check */
	if (groups && faccessat(host->own_fd, "cgroup.type", F_OK, 0) == 0)
		cgroup_host_check_swap(host, host->own_fd);
	if (host->own_fd >= 0)
		(void)close(host->own_fd);
	host->own_fd = -1;
	return groups;
}

/* Removes the group, and before that groups of runs that remained, unless others use it. */
static void group_leave(struct cgroup_host *host)
{
	bool ours = flock(host->group_fd, LOCK_EX | LOCK_NB) == 0;

	if (ours && unlinkat(host->own_fd, host->name, AT_REMOVEDIR) == 0)
		return;
	(void)cgroup_groups_sweep(host, false);
	if (ours)
		(void)unlinkat(host->own_fd, host->name, AT_REMOVEDIR);
}

void cgroup_host_close(struct cgroup_host *host)
{
	if (host->group_fd >= 0) {
		group_leave(host);
		(void)close(host->group_fd);
	}
	if (host->own_fd >= 0)
		(void)close(host->own_fd);
	host->own_fd = host->group_fd = -1;
}

int cgroup_host_sweep(struct cgroup_host *host)
{
	return cgroup_groups_sweep(host, true);
}
