/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sums of stored bytes, and their limits. A project is charged the sizes of all its keys, even
 * if several name the same contents. The sum of all projects is disk space: each content counts
 * once, with the blocks that it takes, so packing and holes make it smaller.
 */

#include "cacher/store_local.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct store_project *project_find(struct store *store, const char *name)
{
	struct store_project *found = store->projects;

	while (found && strcmp(found->name, name) != 0)
		found = found->next;
	if (found)
		return found;
	found = calloc(1, sizeof(*found));
	if (!found)
		return NULL;
	(void)snprintf(found->name, sizeof(found->name), "%s", name);
	found->next = store->projects;
	store->projects = found;
	return found;
}

struct store_project *account_project(struct store *store, const char *name)
{
	struct store_project *found;

	(void)pthread_mutex_lock(&store->lock);
	found = project_find(store, name);
	(void)pthread_mutex_unlock(&store->lock);
	return found;
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
	(void)pthread_mutex_lock(&store->lock);
	store->limits = *limits;
	for (struct store_project *project = store->projects; project; project = project->next)
		project->limit = 0;
	(void)pthread_mutex_unlock(&store->lock);
}

int store_limit_project(struct store *store, const char *name, uint64_t bytes)
{
	struct store_project *project;

	(void)pthread_mutex_lock(&store->lock);
	project = project_find(store, name);
	if (project)
		project->limit = bytes;
	(void)pthread_mutex_unlock(&store->lock);
	return project ? 0 : -ENOMEM;
}

int account_reserve(struct store_run *run, uint64_t more, uint64_t less, struct error *error)
{
	struct store_project *project = run->project;
	struct store *store = run->store;
	uint64_t limit, used;
	bool fits;

	(void)pthread_mutex_lock(&store->lock);
	limit = project->limit ? project->limit : store->limits.bytes_per_project;
	used = project->bytes - less + project->reserved;
	fits = more == 0 || (more <= limit && used <= limit - more);
	if (fits)
		project->reserved += more;
	(void)pthread_mutex_unlock(&store->lock);
	if (fits)
		return 0;
	(void)error_set(error, EDQUOT,
			"over the limit of %" PRIu64 " bytes of artifacts of project %s: remove "
			"runs that are not needed any more, or raise Artifacts= of the project",
			limit, project->name);
	return STORE_E_OVER_LIMIT;
}

void account_release(struct store_run *run, uint64_t bytes)
{
	(void)pthread_mutex_lock(&run->store->lock);
	run->project->reserved -= bytes;
	(void)pthread_mutex_unlock(&run->store->lock);
}

void account_keys(struct store_run *run, uint64_t more, uint64_t less)
{
	(void)pthread_mutex_lock(&run->store->lock);
	run->project->bytes += more - less;
	(void)pthread_mutex_unlock(&run->store->lock);
}

int account_disk(struct store *store, uint64_t more, struct error *error)
{
	uint64_t limit;
	bool fits;

	(void)pthread_mutex_lock(&store->lock);
	limit = store->limits.bytes_stored;
	fits = more == 0 || (more <= limit && store->stored <= limit - more);
	if (fits)
		store->stored += more;
	(void)pthread_mutex_unlock(&store->lock);
	if (fits)
		return 0;
	(void)error_set(error, EDQUOT,
			"over the limit of %" PRIu64 " bytes on disk for the artifacts of all "
			"projects: remove runs that are not needed any more, or raise [Limits] "
			"Artifacts=",
			limit);
	return STORE_E_OVER_LIMIT;
}

void account_gone(struct store *store, uint64_t bytes)
{
	(void)pthread_mutex_lock(&store->lock);
	store->stored -= bytes;
	(void)pthread_mutex_unlock(&store->lock);
}

uint64_t account_size(int fd)
{
	struct stat status;
	uint64_t blocks;

	if (fstat(fd, &status) < 0)
		return 0;
	blocks = (uint64_t)status.st_blocks * 512;
	return blocks < (uint64_t)status.st_size ? blocks : (uint64_t)status.st_size;
}

uint64_t store_stored(struct store *store)
{
	uint64_t bytes;

	(void)pthread_mutex_lock(&store->lock);
	bytes = store->stored;
	(void)pthread_mutex_unlock(&store->lock);
	return bytes;
}
