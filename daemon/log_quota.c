/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_quota.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TICK_USEC (10 * USEC_PER_MSEC) /* between two pieces of a walk */
#define PIECE_USEC (2 * USEC_PER_MSEC)
#define REST_USEC (2 * USEC_PER_SEC) /* between two walks, or twice the time that one took */

struct log_quota {
	struct loop *loop;
	char *path;
	log_quota_limits_fn limits_of;
	const void *userdata;
	struct log_quota_limits limits;
	struct log_share *shares;
	uint64_t used; /* of all shares */
	struct loop_timer timer;
	DIR *projects, *runs; /* the place of the walk in progress */
	struct log_share *walked;
	uint64_t began_usec;
};

/* ---- shares ---- */

static void limits_refresh(struct log_quota *quota)
{
	quota->limits = quota->limits_of(quota->userdata, NULL);
	for (struct log_share *share = quota->shares; share; share = share->next)
		share->limit = quota->limits_of(quota->userdata, share->project).each;
}

static bool limited(const struct log_quota *quota)
{
	bool any = quota->limits.all > 0 || quota->limits.each > 0;

	for (const struct log_share *share = quota->shares; share && !any; share = share->next)
		any = share->limit > 0;
	return any;
}

struct log_share *log_quota_share(struct log_quota *quota, const char *project)
{
	struct log_share *share = quota ? quota->shares : NULL;

	while (share && strcmp(share->project, project) != 0)
		share = share->next;
	if (share || !quota)
		return share;
	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	share->quota = quota;
	(void)snprintf(share->project, sizeof(share->project), "%s", project);
	share->limit = quota->limits_of(quota->userdata, project).each;
	share->next = quota->shares;
	quota->shares = share;
	return share;
}

static void share_set(struct log_share *share, uint64_t used)
{
	share->quota->used += used - share->used;
	share->used = used;
}

void log_share_grow(struct log_share *share, int64_t bytes)
{
	if (!share)
		return;
	/* freed bytes may have been subtracted by a walk already */
	if (bytes < 0 && (uint64_t)-bytes > share->used)
		bytes = -(int64_t)share->used;
	share_set(share, share->used + (uint64_t)bytes);
	if (bytes > 0)
		share->grown += (uint64_t)bytes;
}

bool log_share_full(const struct log_share *share, uint64_t bytes)
{
	const struct log_quota_limits *limits;
	uint64_t limit;

	if (!share)
		return false;
	limits = &share->quota->limits;
	limit = share->limit ? share->limit : limits->each;
	return (limit > 0 && share->used + bytes > limit) ||
	       (limits->all > 0 && share->quota->used + bytes > limits->all);
}

/* ---- the walk ---- */

static DIR *open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

static DIR *close_dir(DIR *dir)
{
	if (dir)
		(void)closedir(dir);
	return NULL;
}

static uint64_t run_size(int dir_fd, const char *name)
{
	DIR *dir = open_dir(dir_fd, name);
	struct dirent *entry;
	struct stat status;
	uint64_t size = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode))
			size += (uint64_t)status.st_blocks * 512;
	(void)close_dir(dir);
	return size;
}

/* The walk through one project is done. */
static void share_walked(struct log_quota *quota)
{
	/* bytes that were written during the walk may count twice: better too many than too few */
	if (quota->walked)
		share_set(quota->walked, quota->walked->found + quota->walked->grown);
	quota->walked = NULL;
	quota->runs = close_dir(quota->runs);
}

static void share_walk(struct log_quota *quota, const char *project)
{
	quota->walked = log_quota_share(quota, project);
	quota->runs = open_dir(dirfd(quota->projects), project);
	if (quota->walked)
		quota->walked->found = quota->walked->grown = 0;
}

/* Count one directory. Return: whether the walk goes on. */
static bool walk_step(struct log_quota *quota)
{
	struct dirent *entry;

	if (quota->runs) {
		entry = readdir(quota->runs);
		if (!entry)
			share_walked(quota);
		else if (entry->d_name[0] != '.' && quota->walked)
			quota->walked->found += run_size(dirfd(quota->runs), entry->d_name);
		return true;
	}
	entry = quota->projects ? readdir(quota->projects) : NULL;
	if (!entry) {
		quota->projects = close_dir(quota->projects);
		return false;
	}
	if (project_name_valid(entry->d_name))
		share_walk(quota, entry->d_name);
	return true;
}

static void walk_begin(struct log_quota *quota)
{
	quota->projects = open_dir(AT_FDCWD, quota->path);
	quota->began_usec = now_usec();
}

/* Do a piece of a walk; begin a new one if there are limits and none is in progress. */
static void walk_tick(struct loop_timer *timer)
{
	struct log_quota *quota = container_of(timer, struct log_quota, timer);
	uint64_t begin = now_usec();
	uint64_t rest = REST_USEC;
	bool more = true;

	limits_refresh(quota);
	if (!quota->projects && limited(quota))
		walk_begin(quota);
	while (quota->projects && more && now_usec() < begin + PIECE_USEC)
		more = walk_step(quota);
	if (quota->projects)
		rest = TICK_USEC;
	else if (!more && 2 * (begin - quota->began_usec) > rest)
		rest = 2 * (begin - quota->began_usec);
	(void)loop_timer_set(quota->loop, timer, now_usec() + rest, walk_tick);
}

void log_quota_walk(struct log_quota *quota)
{
	limits_refresh(quota);
	if (!quota->projects)
		walk_begin(quota);
	while (quota->projects)
		(void)walk_step(quota);
}

/* ---- life ---- */

struct log_quota *log_quota_new(struct loop *loop, const char *log_path, log_quota_limits_fn limits,
				const void *userdata)
{
	struct log_quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return NULL;
	quota->loop = loop;
	quota->path = strdup(log_path);
	quota->limits_of = limits;
	quota->userdata = userdata;
	quota->timer = LOOP_TIMER_NULL;
	if (!quota->path || loop_timer_set(loop, &quota->timer, now_usec(), walk_tick) < 0)
		return log_quota_free(quota);
	return quota;
}

struct log_quota *log_quota_free(struct log_quota *quota)
{
	if (!quota)
		return NULL;
	loop_timer_cancel(&quota->timer);
	quota->runs = close_dir(quota->runs);
	quota->projects = close_dir(quota->projects);
	while (quota->shares) {
		struct log_share *share = quota->shares;

		quota->shares = share->next;
		free(share);
	}
	free(quota->path);
	free(quota);
	return NULL;
}
