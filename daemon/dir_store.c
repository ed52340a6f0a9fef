/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/dir_store.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define TEMPORARY ".tmp-"
#define GONE ".gone-"

/** struct use - a subdirectory that has users */
struct use {
	struct use *next;
	int fd; /* locked, shared */
	size_t n;
	char name[];
};

struct dir_store {
	char path[PATH_MAX];
	char instance[13];
	int fd;
	uint64_t n_made; /* for the numbers in names */
	struct use *uses;
};

/* ---- life ---- */

int dir_store_open(const char *path, const char *instance, struct dir_store **ret_store,
		   struct error *error)
{
	struct dir_store *store = calloc(1, sizeof(*store));

	if (!store)
		return error_set(error, ENOMEM, "out of memory");
	store->fd = -1;
	(void)snprintf(store->instance, sizeof(store->instance), "%s", instance);
	if (snprintf(store->path, sizeof(store->path), "%s", path) >= (int)sizeof(store->path))
		(void)error_set(error, ENAMETOOLONG, "the path %s is too long", path);
	else
		store->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd < 0 && error->number == 0)
		(void)error_errno(error, errno, "cannot open %s", path);
	if (store->fd < 0) {
		free(store);
		return -error->number;
	}
	*ret_store = store;
	return 0;
}

struct dir_store *dir_store_close(struct dir_store *store)
{
	if (!store)
		return NULL;
	while (store->uses) {
		struct use *use = store->uses;

		store->uses = use->next;
		(void)close(use->fd);
		free(use);
	}
	(void)close(store->fd);
	free(store);
	return NULL;
}

const char *dir_store_path(const struct dir_store *store)
{
	return store->path;
}

/* ---- claims ---- */

static int directory_open(const struct dir_store *store, const char *name)
{
	int fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int directory_lock(const struct dir_store *store, const char *name)
{
	cleanup_close int fd = directory_open(store, name);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static void name_make(struct dir_store *store, const char *prefix, char *out)
{
	(void)snprintf(out, DIR_CLAIM_NAME_MAX + 1, "%s%s-%llu", prefix, store->instance,
		       (unsigned long long)++store->n_made);
}

int dir_store_make(struct dir_store *store, uid_t owner, struct dir_claim *ret_claim,
		   struct error *error)
{
	struct dir_claim *claim = ret_claim;

	*claim = DIR_CLAIM_NULL;
	name_make(store, TEMPORARY, claim->name);
	if (mkdirat(store->fd, claim->name, 0755) < 0)
		return error_errno(error, errno, "cannot make %s/%s", store->path, claim->name);
	claim->fd = directory_lock(store, claim->name);
	if (claim->fd < 0)
		return error_errno(error, -claim->fd, "cannot open %s/%s", store->path,
				   claim->name);
	if (geteuid() == 0 && fchown(claim->fd, owner, owner) < 0)
		return error_errno(error, errno, "cannot give %s/%s away", store->path,
				   claim->name);
	return 0;
}

int dir_store_commit(struct dir_store *store, struct dir_claim *claim, const char *name,
		     struct error *error)
{
	if (renameat2(store->fd, claim->name, store->fd, name, RENAME_NOREPLACE) < 0)
		return error_errno(error, errno, "cannot keep %s in %s", name, store->path);
	dir_claim_drop(claim);
	if (fsync(store->fd) < 0)
		return error_errno(error, errno, "cannot sync %s", store->path);
	return 0;
}

int dir_store_take_out(struct dir_store *store, const char *name, struct dir_claim *ret_claim)
{
	struct dir_claim claim = {.fd = directory_lock(store, name)};

	if (claim.fd < 0)
		return claim.fd;
	name_make(store, GONE, claim.name);
	if (renameat2(store->fd, name, store->fd, claim.name, RENAME_NOREPLACE) < 0) {
		int r = -errno;

		dir_claim_drop(&claim);
		return r;
	}
	*ret_claim = claim;
	return 0;
}

int dir_store_remove(struct dir_store *store, const struct dir_claim *claim)
{
	if (unlinkat(store->fd, claim->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

void dir_claim_drop(struct dir_claim *claim)
{
	if (claim->fd >= 0)
		(void)close(claim->fd);
	claim->fd = -1;
}

/* ---- listing ---- */

static DIR *directory_list(const struct dir_store *store)
{
	int copy = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);

	if (!directory && copy >= 0)
		(void)close(copy);
	return directory;
}

static bool is_leftover(const char *name)
{
	return strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0 ||
	       strncmp(name, GONE, strlen(GONE)) == 0;
}

void dir_store_sweep(struct dir_store *store,
		     bool (*found)(void *userdata, struct dir_claim *claim), void *userdata)
{
	cleanup_closedir DIR *directory = directory_list(store);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct dir_claim claim;

		if (!is_leftover(entry->d_name) || strlen(entry->d_name) > DIR_CLAIM_NAME_MAX)
			continue;
		claim.fd = directory_lock(store, entry->d_name);
		if (claim.fd < 0)
			continue; /* another instance works on it */
		(void)snprintf(claim.name, sizeof(claim.name), "%s", entry->d_name);
		if (!found(userdata, &claim))
			return;
	}
}

void dir_store_list(const struct dir_store *store, void (*each)(void *userdata, const char *name),
		    void *userdata)
{
	cleanup_closedir DIR *directory = directory_list(store);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] != '.')
			each(userdata, entry->d_name);
	}
}

/* ---- uses ---- */

static struct use **use_find(struct dir_store *store, const char *name)
{
	struct use **link = &store->uses;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

int dir_store_use(struct dir_store *store, const char *name, char *out)
{
	struct use **link = use_find(store, name);
	cleanup_close int fd = -1;
	struct stat st;

	if (snprintf(out, PATH_MAX, "%s/%s", store->path, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!*link) {
		fd = directory_open(store, name);
		/* st_nlink 0: it was removed between openat(2) and flock(2) */
		if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &st) < 0 ||
		    st.st_nlink == 0)
			return -ENOENT;
		*link = calloc(1, sizeof(**link) + strlen(name) + 1);
		if (!*link)
			return -ENOMEM;
		memcpy((*link)->name, name, strlen(name) + 1);
		(*link)->fd = TAKE_FD(fd);
	}
	(*link)->n++;
	return 0;
}

void dir_store_release(struct dir_store *store, const char *name)
{
	struct use **link = use_find(store, name);
	struct use *use = *link;

	if (!use || --use->n > 0)
		return;
	*link = use->next;
	(void)close(use->fd);
	free(use);
}
