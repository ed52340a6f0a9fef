/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_cgroup.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_ATTEMPTS 100
#define REMOVE_PAUSE_NSEC 10000000L

/* ---- small files ---- */

static int write_at(int dir_fd, const char *file, const char *text)
{
	cleanup_close int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int read_at(int dir_fd, const char *file, char *text, size_t size)
{
	cleanup_close int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	text[got < 0 ? 0 : got] = '\0';
	return got < 0 ? -errno : 0;
}

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

/* "key value" lines, as cpu.stat and memory.events have them. */
static uint64_t keyed_value(const char *text, const char *key)
{
	size_t length = strlen(key);
	uint64_t value = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			(void)sscanf(line + length, "%" SCNu64, &value);
	}
	return value;
}

/* ---- finding ourselves ---- */

/* A mount of the whole hierarchy, or one of our own that is attached nowhere. */
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

/* Who sits in the leaf that move_to_leaf() makes, or was started there, means the group above. */
static void leave_leaf(char *path, const char *name)
{
	char leaf[80];
	size_t length = strlen(path);
	size_t tail = (size_t)snprintf(leaf, sizeof(leaf), "/%s.self", name);

	if (length >= tail && strcmp(path + length - tail, leaf) == 0)
		path[length - tail] = '\0';
}

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

static int open_own_group(const char *name)
{
	cleanup_close int root_fd = open_hierarchy();
	char path[4096];
	int fd, r = own_group_path(name, path, sizeof(path));

	if (root_fd < 0 || r < 0)
		return root_fd < 0 ? root_fd : r;
	fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- controllers ---- */

/*
 * Only the root (which has no type) may hold processes and hand controllers on.
 * To try elsewhere would half succeed: cpu and pids are given, the group turns
 * into a threaded one, and no group beneath it can hold a process any more.
 */
static bool may_hand_on(int fd)
{
	char pids[16];

	return faccessat(fd, "cgroup.type", F_OK, 0) < 0 ||
	       (read_at(fd, "cgroup.procs", pids, sizeof(pids)) == 0 && pids[0] == '\0');
}

static void enable_controllers(int fd)
{
	static const char *const wanted[] = {"memory", "pids", "cpu", "io"};
	char available[512];

	if (!may_hand_on(fd) || read_at(fd, "cgroup.controllers", available, sizeof(available)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		char word[16];

		(void)snprintf(word, sizeof(word), "+%s", wanted[i]);
		if (has_word(available, wanted[i]))
			(void)write_at(fd, "cgroup.subtree_control", word);
	}
}

/* @file: cgroup.subtree_control for those that groups beneath have. Return: all. */
static bool controllers_read(int fd, const char *file, struct cgroup_host *host)
{
	char enabled[512] = "";

	(void)read_at(fd, file, enabled, sizeof(enabled));
	host->memory = has_word(enabled, "memory");
	host->pids = has_word(enabled, "pids");
	host->cpu = has_word(enabled, "cpu");
	return host->memory && host->pids && host->cpu;
}

/* systemd marks what it has handed over with Delegate=yes. */
static bool delegated(int fd)
{
	char value[8];

	return fgetxattr(fd, "user.delegate", value, sizeof(value)) > 0 ||
	       fgetxattr(fd, "trusted.delegate", value, sizeof(value)) > 0;
}

/* A group with processes cannot hand controllers on: sit in a leaf of our own group. */
static void move_to_leaf(struct cgroup_host *host)
{
	char leaf[80], file[96], pids[4096];

	(void)snprintf(leaf, sizeof(leaf), "%s.self", host->name);
	(void)snprintf(file, sizeof(file), "%s/cgroup.procs", leaf);
	if (mkdirat(host->own_fd, leaf, 0755) < 0 && errno != EEXIST)
		return;
	/* again for those that were born meanwhile */
	for (int attempt = 0; attempt < 10 && !may_hand_on(host->own_fd); attempt++) {
		(void)read_at(host->own_fd, "cgroup.procs", pids, sizeof(pids));
		for (char *save = NULL, *pid = strtok_r(pids, "\n", &save); pid;
		     pid = strtok_r(NULL, "\n", &save))
			(void)write_at(host->own_fd, file, pid);
	}
}

static int open_group(struct cgroup_host *host)
{
	int fd;

	/* for root alone: whoever can open a step's group can hold its lock */
	if (mkdirat(host->own_fd, host->name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(host->own_fd, host->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	enable_controllers(fd);
	return fd;
}

/* What is missing of the host's memory, pids and cpu, and what to do. */
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

/* A line beneath the heading. Without the file the kernel knows no swap. */
static bool swap_in_use(const struct cgroup_host *host)
{
	cleanup_fclose FILE *file = fopen(host->swaps, "re");
	char line[4096];

	return file && fgets(line, sizeof(line), file) && fgets(line, sizeof(line), file);
}

#define SWAP_PROBLEM                                                                               \
	"cannot keep steps from going beyond their memory limit by swapping (this kernel has no "  \
	"memory.swap.max, and the host has swap): boot with swapaccount=1 or run swapoff -a"

void cgroup_host_check_swap(struct cgroup_host *host, int group_fd)
{
	size_t used = strlen(host->warning);

	if (host->memory && faccessat(group_fd, "memory.swap.max", F_OK, 0) < 0 &&
	    errno == ENOENT && swap_in_use(host))
		(void)snprintf(host->warning + used, sizeof(host->warning) - used, "%s%s",
			       used ? "; " : "", SWAP_PROBLEM);
}

int cgroup_host_open(struct cgroup_host *host, const char *name, enum sandbox_limits_policy policy,
		     struct error *error)
{
	struct cgroup_host unused;

	*host = (struct cgroup_host){.own_fd = -1,
				     .group_fd = -1,
				     .required = policy == SANDBOX_LIMITS_REQUIRED,
				     .swaps = "/proc/swaps"};
	(void)snprintf(host->name, sizeof(host->name), "%s", name);
	host->own_fd = open_own_group(host->name);
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

bool cgroup_host_look(struct cgroup_host *host, const char *name)
{
	struct statvfs fs;
	bool groups;

	*host = (struct cgroup_host){.own_fd = -1, .group_fd = -1, .swaps = "/proc/swaps"};
	(void)snprintf(host->name, sizeof(host->name), "%s", name);
	host->own_fd = open_own_group(host->name);
	groups = host->own_fd >= 0 && fstatvfs(host->own_fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY);
	if (groups)
		(void)controllers_read(host->own_fd,
				       may_hand_on(host->own_fd) || delegated(host->own_fd)
					       ? "cgroup.controllers"
					       : "cgroup.subtree_control",
				       host);
	set_warning(host, groups);
	/* the root group, which has no type, has no limits of its own to look at */
	if (groups && faccessat(host->own_fd, "cgroup.type", F_OK, 0) == 0)
		cgroup_host_check_swap(host, host->own_fd);
	if (host->own_fd >= 0)
		(void)close(host->own_fd);
	host->own_fd = -1;
	return groups;
}

/*
 * Whoever has a step's group holds a lock on its directory: the groups of
 * killed programs are those that nobody holds. Return: 0 also for a held one.
 */
static int remove_unheld(struct cgroup_host *host, const char *id, bool and_wait)
{
	cleanup_close int fd = openat(host->group_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	(void)cgroup_step_kill(fd);
	if (and_wait)
		return cgroup_step_remove(host, id);
	return unlinkat(host->group_fd, id, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_all_unheld(struct cgroup_host *host, bool and_wait)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	int failed = 0;

	if (host->group_fd < 0)
		return 0;
	dir = fdopendir(openat(host->group_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (dir && (entry = readdir(dir))) {
		int r = 0;

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			r = remove_unheld(host, entry->d_name, and_wait);
		if (r < 0)
			failed = r;
	}
	return failed;
}

void cgroup_host_close(struct cgroup_host *host)
{
	if (host->group_fd >= 0) {
		(void)remove_all_unheld(host, false);
		(void)close(host->group_fd);
		/* not ours alone, perhaps: then it is not empty and stays */
		(void)unlinkat(host->own_fd, host->name, AT_REMOVEDIR);
	}
	if (host->own_fd >= 0)
		(void)close(host->own_fd);
	host->own_fd = host->group_fd = -1;
}

int cgroup_host_sweep(struct cgroup_host *host)
{
	return remove_all_unheld(host, true);
}

/* ---- one step ---- */

/* Return: a locked directory that is still there; -ESTALE when somebody swept it away. */
static int open_held(struct cgroup_host *host, const char *id)
{
	cleanup_close int fd = openat(host->group_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat ours, there;

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &ours) < 0 ||
	    fstatat(host->group_fd, id, &there, 0) < 0 || ours.st_ino != there.st_ino)
		return -ESTALE;
	return TAKE_FD(fd);
}

int cgroup_step_make(struct cgroup_host *host, const char *id, struct error *error)
{
	int r = -ESTALE;

	for (int attempt = 0; r == -ESTALE && attempt < 100; attempt++) {
		if (mkdirat(host->group_fd, id, 0755) == 0) {
			r = open_held(host, id);
		} else if (errno == ENOENT) {
			/* another program of the same name ended and removed the parent */
			int fd = open_group(host);

			if (fd < 0)
				return error_errno(error, -fd, "cannot make the cgroup %s",
						   host->name);
			(void)close(host->group_fd);
			host->group_fd = fd;
		} else if (errno == EEXIST) {
			/* a killed program's, or one that runs */
			r = remove_unheld(host, id, true);
			if (r == 0 && faccessat(host->group_fd, id, F_OK, 0) == 0)
				r = -EEXIST;
			else if (r == 0)
				r = -ESTALE;
		} else {
			r = -errno;
		}
	}
	if (r == -EEXIST)
		return error_set(error, EEXIST, "a sandbox with the id \"%s\" runs already", id);
	if (r < 0)
		return error_errno(error, -r, "cannot make the cgroup %s/%s", host->name, id);
	return r;
}

int cgroup_step_limit(const struct cgroup_host *host, int group_fd, const char *file,
		      uint64_t value, struct error *error)
{
	char text[48];
	int r;

	if (strcmp(file, "cpu.max") == 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " 100000", value);
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	r = write_at(group_fd, file, text);
	/*
	 * Kernels without swap accounting have no swap limit. That is fine while there
	 * is no swap, which may have come since cgroup_host_open() looked.
	 */
	if (r == -ENOENT && strcmp(file, "memory.swap.max") == 0) {
		if (host->required && swap_in_use(host))
			return error_set(error, ENOTSUP, "%s", SWAP_PROBLEM);
		return 0;
	}
	return r < 0 ? error_errno(error, -r, "cannot set %s to %s", file, text) : 0;
}

/* Before cgroup.kill (Linux 5.14), or in a hierarchy that lacks it: freeze, then each. */
static int kill_each(int group_fd)
{
	char pids[8192];
	int r = read_at(group_fd, "cgroup.procs", pids, sizeof(pids));

	if (r < 0)
		return r;
	for (char *save = NULL, *pid = strtok_r(pids, "\n", &save); pid;
	     pid = strtok_r(NULL, "\n", &save)) {
		int number = 0;

		if (sscanf(pid, "%d", &number) == 1 && number > 0)
			(void)kill(number, SIGKILL);
	}
	return 0;
}

int cgroup_step_kill(int group_fd)
{
	int r = write_at(group_fd, "cgroup.kill", "1");

	return r == -ENOENT ? kill_each(group_fd) : r;
}

void cgroup_step_outcome(int group_fd, struct sandbox_outcome *outcome)
{
	char text[4096];

	if (read_at(group_fd, "memory.events", text, sizeof(text)) == 0)
		outcome->memory_limit = keyed_value(text, "oom_kill") > 0;
	if (read_at(group_fd, "memory.peak", text, sizeof(text)) == 0)
		(void)sscanf(text, "%" SCNu64, &outcome->memory_peak);
	if (read_at(group_fd, "cpu.stat", text, sizeof(text)) == 0)
		outcome->cpu_usec = keyed_value(text, "usage_usec");
}

int cgroup_step_remove(struct cgroup_host *host, const char *id)
{
	const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NSEC};

	for (int attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
		if (unlinkat(host->group_fd, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		/* killed processes leave the group when they are scheduled once more */
		(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
}
