/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_group.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_ATTEMPTS 100
#define REMOVE_PAUSE_NSEC 10000000L
#define LOCK_ATTEMPTS 2000
#define LOCK_PAUSE_NSEC 1000000L
#define STALE_ATTEMPTS 100 /* another program may remove it between open and lock */

static int parent_of(const struct cgroup_host *host, int run_fd)
{
	return run_fd >= 0 ? run_fd : host->group_fd;
}

/* ---- removing ---- */

/* Kills each process, where cgroup.kill (Linux 5.14) is missing. */
static int kill_each(int group_fd)
{
	char pids[8192];
	int r = cgroup_file_read(group_fd, "cgroup.procs", pids, sizeof(pids));

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
	int r = cgroup_file_write(group_fd, "cgroup.kill", "1");

	return r == -ENOENT ? kill_each(group_fd) : r;
}

static int remove_empty(int parent_fd, const char *name, bool and_wait)
{
	const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NSEC};

	for (int attempt = 0; attempt < (and_wait ? REMOVE_ATTEMPTS : 1); attempt++) {
		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		/* killed processes leave the group when they are scheduled once more */
		if (and_wait)
			(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

typedef int (*child_fn)(int parent_fd, const char *name, bool and_wait);

/* Return: 0, or the last failure of @each. */
static int children_each(int fd, child_fn each, bool and_wait)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	int failed = 0;

	dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (dir && (entry = readdir(dir))) {
		int r = 0;

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			r = each(fd, entry->d_name, and_wait);
		if (r < 0)
			failed = r;
	}
	return failed;
}

static int step_clear(int parent_fd, const char *name, bool and_wait)
{
	cleanup_close int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	(void)cgroup_step_kill(fd);
	return remove_empty(parent_fd, name, and_wait);
}

/* Return: 0, also if the group is in use and stays; -errno. */
static int remove_unheld(int parent_fd, const char *name, bool and_wait)
{
	cleanup_close int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	(void)cgroup_step_kill(fd);
	/* a run's group: its program is dead, so its steps are leftovers, too */
	(void)children_each(fd, step_clear, and_wait);
	return remove_empty(parent_fd, name, and_wait);
}

int cgroup_groups_sweep(struct cgroup_host *host, bool and_wait)
{
	return host->group_fd < 0 ? 0 : children_each(host->group_fd, remove_unheld, and_wait);
}

int cgroup_step_remove(struct cgroup_host *host, int run_fd, const char *id)
{
	return remove_empty(parent_of(host, run_fd), id, true);
}

/* ---- making ---- */

/* Waits: a program with an exclusive lock soon removes the group or releases the lock. */
static int lock_shared(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NSEC};

	for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

int cgroup_group_hold(int parent_fd, const char *name)
{
	cleanup_close int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat ours, there;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	r = lock_shared(fd);
	if (r < 0)
		return r;
	if (fstat(fd, &ours) < 0 || fstatat(parent_fd, name, &there, 0) < 0 ||
	    ours.st_ino != there.st_ino)
		return -ESTALE;
	return TAKE_FD(fd);
}

/* Removes an unused group @name. Return: 0; -EEXIST if it is in use; -errno. */
static int make_room(int parent_fd, const char *name)
{
	int r = remove_unheld(parent_fd, name, true);

	if (r == 0 && faccessat(parent_fd, name, F_OK, 0) == 0)
		r = -EEXIST;
	return r;
}

/* Enables for the run's steps the controllers that the group of all steps has enabled. */
static int run_enable_controllers(const struct cgroup_host *host, int run_fd)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s%s%s%s", host->memory ? "+memory " : "",
		       host->pids ? "+pids " : "", host->cpu ? "+cpu " : "", host->io ? "+io" : "");
	return text[0] ? cgroup_file_write(run_fd, "cgroup.subtree_control", text) : 0;
}

int cgroup_run_join(struct cgroup_host *host, const char *run, bool *ret_made, struct error *error)
{
	int r = -ESTALE;

	for (int attempt = 0; r == -ESTALE && attempt < STALE_ATTEMPTS; attempt++) {
		*ret_made = mkdirat(host->group_fd, run, 0755) == 0;
		if (!*ret_made && errno == ENOENT) {
			int regrouped = cgroup_host_regroup(host);

			r = regrouped < 0 ? regrouped : -ESTALE;
		} else if (!*ret_made && errno == EEXIST) {
			/* a killed program left it, or it has steps */
			(void)remove_unheld(host->group_fd, run, true);
			r = cgroup_group_hold(host->group_fd, run);
		} else {
			r = *ret_made ? cgroup_group_hold(host->group_fd, run) : -errno;
		}
	}
	if (r >= 0 && *ret_made) {
		int enabled = run_enable_controllers(host, r);

		if (enabled < 0) {
			cgroup_run_leave(host, run, r);
			r = enabled;
		}
	}
	if (r < 0)
		return error_errno(error, -r, "cannot make the cgroup %s/%s", host->name, run);
	return r;
}

void cgroup_run_leave(struct cgroup_host *host, const char *run, int run_fd)
{
	/* fails while other steps of the run use it */
	if (flock(run_fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(host->group_fd, run, AT_REMOVEDIR);
	/* a duplicate that is stored for a successor may live on: it must not keep the lock */
	(void)flock(run_fd, LOCK_UN);
	(void)close(run_fd);
}

int cgroup_step_make(struct cgroup_host *host, int run_fd, const char *id, struct error *error)
{
	int r = -ESTALE;

	for (int attempt = 0; r == -ESTALE && attempt < STALE_ATTEMPTS; attempt++) {
		int parent_fd = parent_of(host, run_fd);

		if (mkdirat(parent_fd, id, 0755) == 0) {
			r = cgroup_group_hold(parent_fd, id);
		} else if (errno == ENOENT && run_fd < 0) {
			/* another program with the same group name ended and removed the parent */
			r = cgroup_host_regroup(host);
			r = r < 0 ? r : -ESTALE;
		} else if (errno == EEXIST) {
			r = make_room(parent_fd, id);
			r = r < 0 ? r : -ESTALE;
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

/* ---- limits ---- */

int cgroup_step_limit_text(int group_fd, const char *file, const char *text, struct error *error)
{
	int r = cgroup_file_write(group_fd, file, text);

	return r < 0 ? error_errno(error, -r, "cannot set %s to %s", file, text) : 0;
}

int cgroup_step_limit(const struct cgroup_host *host, int group_fd, const char *file,
		      uint64_t value, struct error *error)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%" PRIu64 "%s", value,
		       strcmp(file, "cpu.max") == 0 ? " 100000" : "");
	/*
	 * Kernels without swap accounting have no swap limit. That is fine while the host
	 * has no swap, which may have been added since cgroup_host_open() looked.
	 */
	if (strcmp(file, "memory.swap.max") == 0 && faccessat(group_fd, file, F_OK, 0) < 0 &&
	    errno == ENOENT) {
		const char *problem = host->required ? cgroup_swap_problem(host) : NULL;

		return problem ? error_set(error, ENOTSUP, "%s", problem) : 0;
	}
	return cgroup_step_limit_text(group_fd, file, text, error);
}

/* ---- counters ---- */

/* Finds @key in "key value" lines, the format of cpu.stat and memory.events. */
static bool keyed_value(const char *text, const char *key, uint64_t *ret_value)
{
	size_t length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return sscanf(line + length, "%" SCNu64, ret_value) == 1;
	}
	return false;
}

static uint64_t file_value(int group_fd, const char *file, const char *key)
{
	uint64_t value = 0;
	char text[4096];

	if (cgroup_file_read(group_fd, file, text, sizeof(text)) == 0)
		(void)keyed_value(text, key, &value);
	return value;
}

/* Sums "key=value" over all lines, the format of io.stat and the pressure files. */
static uint64_t sum_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	uint64_t sum = 0, value;

	for (const char *at = text; (at = strstr(at, key)); at += length) {
		if (at > text && at[-1] == ' ' && sscanf(at + length, "%" SCNu64, &value) == 1)
			sum += value;
	}
	return sum;
}

static void count_keyed(int group_fd, struct step_usage *usage)
{
	static const struct {
		const char *key;
		enum step_usage_kind kind;
	} keys[] = {
		{"usage_usec", STEP_USAGE_CPU},
		{"user_usec", STEP_USAGE_CPU_USER},
		{"system_usec", STEP_USAGE_CPU_SYSTEM},
	};
	uint64_t value;
	char text[4096];

	/* every group has it, with or without the controller */
	if (cgroup_file_read(group_fd, "cpu.stat", text, sizeof(text)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keyed_value(text, keys[i].key, &value))
			step_usage_set(usage, keys[i].kind, value);
	}
}

static void count_peaks(int group_fd, struct step_usage *usage)
{
	static const struct {
		const char *file;
		enum step_usage_kind kind;
	} files[] = {
		{"memory.peak", STEP_USAGE_MEMORY_PEAK}, /* Linux 5.19 */
		{"pids.peak", STEP_USAGE_PIDS_PEAK},	 /* Linux 6.11 */
	};
	uint64_t value;
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (cgroup_file_read(group_fd, files[i].file, text, sizeof(text)) == 0 &&
		    sscanf(text, "%" SCNu64, &value) == 1)
			step_usage_set(usage, files[i].kind, value);
	}
}

/* Adds the counters that are sums over all lines of a file. */
static void count_sums(int group_fd, struct step_usage *usage)
{
	static const struct {
		const char *file;
		const char *key;
		enum step_usage_kind kind;
	} sums[] = {
		{"io.stat", "rbytes=", STEP_USAGE_IO_READ},
		{"io.stat", "wbytes=", STEP_USAGE_IO_WRITE},
		{"cpu.pressure", "total=", STEP_USAGE_WAIT_CPU},
		{"memory.pressure", "total=", STEP_USAGE_WAIT_MEMORY},
		{"io.pressure", "total=", STEP_USAGE_WAIT_IO},
	};
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		if (cgroup_file_read(group_fd, sums[i].file, text, sizeof(text)) < 0)
			continue;
		/* the line "some" of the pressure files includes "full" */
		if (strncmp(text, "some ", 5) == 0)
			text[strcspn(text, "\n")] = '\0';
		step_usage_set(usage, sums[i].kind, sum_of(text, sums[i].key));
	}
}

/* The limit that caused the kill may be the step's own or that of a group above. */
static enum sandbox_memory_scope memory_scope(const struct cgroup_host *host, int run_fd,
					      int group_fd)
{
	static const char file[] = "memory.events.local";

	if (file_value(group_fd, file, "oom") > 0)
		return SANDBOX_MEMORY_STEP;
	if (run_fd >= 0 && file_value(run_fd, file, "oom") > 0)
		return SANDBOX_MEMORY_RUN;
	if (file_value(host->group_fd, file, "oom") > 0)
		return SANDBOX_MEMORY_STEPS;
	return SANDBOX_MEMORY_HOST;
}

void cgroup_step_outcome(const struct cgroup_host *host, int run_fd, int group_fd,
			 struct sandbox_outcome *outcome)
{
	count_keyed(group_fd, &outcome->usage);
	count_peaks(group_fd, &outcome->usage);
	count_sums(group_fd, &outcome->usage);
	outcome->memory_limit = file_value(group_fd, "memory.events", "oom_kill") > 0;
	if (outcome->memory_limit)
		outcome->memory_scope = memory_scope(host, run_fd, group_fd);
	outcome->forks_refused = file_value(group_fd, "pids.events", "max");
	outcome->steps_memory = host->memory_max;
}
