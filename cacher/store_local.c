/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: The store in a directory
 *
 *   blobs/ab/cdef…          unpacked contents, named by their digest, never changed
 *   packed/ab/cdef…         contents as zstd frames (content.h), likewise; each content is in
 *                           blobs/ or in packed/. Versions of runbookd that do not know
 *                           packed/ leave it alone.
 *   runs/PROJECT/RUN/NAME   one small text file for each key (store_index.h)
 *   tmp/N                   files that are being written; removed at start
 *
 * A put writes contents in tmp/, syncs them, renames them into blobs/ or packed/ and syncs that
 * directory. Only then an index file that names them is written in the same way. So an index file
 * never names contents that a power cut could remove. When two puts of the same bytes rename over
 * each other, nothing changes.
 *
 * Contents that no key names are removed: at once when their last key is removed, and at start
 * those that a crash left. A put counts its reference before it renames the contents into place,
 * so a concurrent delete of the last other key does not remove them.
 *
 * Locks: run->lock guards the keys of one run, store->lock everything else; the second may be
 * taken within the first. Neither is held while contents are copied or synced.
 */

#include "cacher/store_local.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* ---- names ---- */

void store_blob_name(char name[BLOB_NAME_MAX], const uint8_t *digest)
{
	char text[DIGEST_HEX_SIZE];

	digest_hex(text, digest);
	memcpy(name, text, 2);
	name[2] = '/';
	memcpy(name + 3, text + 2, sizeof(text) - 2);
}

int store_temporary_new(struct store *store, char name[TEMPORARY_NAME_MAX])
{
	int fd;

	(void)snprintf(name, TEMPORARY_NAME_MAX, "%" PRIuFAST64,
		       atomic_fetch_add(&store->next_temporary, 1));
	fd = openat(store->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	return fd < 0 ? -errno : fd;
}

int store_sync_directory(int dir_fd, const char *path)
{
	cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

void store_reference_release(struct store *store, const uint8_t *digest)
{
	char name[BLOB_NAME_MAX];
	uint64_t stored;

	store_blob_name(name, digest);
	(void)pthread_mutex_lock(&store->lock);
	stored = references_size(&store->references, digest);
	if (references_drop(&store->references, digest)) {
		if ((unlinkat(store->blobs_fd, name, 0) < 0 && errno != ENOENT) ||
		    (unlinkat(store->packed_fd, name, 0) < 0 && errno != ENOENT))
			log_warning("cannot remove artifact content %s: %s, ignoring until the "
				    "next start",
				    name, strerror(errno));
		store->stored -= stored;
	}
	(void)pthread_mutex_unlock(&store->lock);
}

/* ---- opening ---- */

typedef int (*directory_entry_fn)(int dir_fd, const char *name, void *userdata);

/* Call @each for each name in a directory, until a negative result. */
static int directory_each(int dir_fd, const char *path, directory_entry_fn each, void *userdata)
{
	cleanup_closedir DIR *dir = NULL;
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	int r = 0;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (r >= 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = each(dirfd(dir), entry->d_name, userdata);
	return r < 0 ? r : -errno;
}

/* Read one index file. Return: 0, or -errno, also for a file that the store did not write. */
static int index_read(int dir_fd, const char *name, char *key, struct store_entry *ret_entry)
{
	cleanup_close int fd = -1;
	char text[INDEX_TEXT_MAX + 1];
	ssize_t n;

	if (!index_key(key, name))
		return -EBADMSG;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	n = fd < 0 ? -errno : fd_read_all(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return index_parse(text, ret_entry);
}

struct key_scan {
	struct store *store;
	struct store_project *project;
};

static int scan_key(int dir_fd, const char *name, void *userdata)
{
	struct key_scan *scan = userdata;
	char key[ARTIFACT_KEY_MAX + 1];
	struct store_entry entry;
	int r = index_read(dir_fd, name, key, &entry);

	if (r == 0) {
		scan->project->bytes += entry.size;
		return references_add(&scan->store->references, entry.digest);
	}
	log_warning("artifact index file %s cannot be read: %s, ignoring it", name, strerror(-r));
	return 0;
}

/* Scan a directory. A name that is not a directory was not made by the store: it is ignored. */
static int scan_directory(int dir_fd, const char *name, directory_entry_fn each, void *userdata)
{
	int r = directory_each(dir_fd, name, each, userdata);

	if (r != -ENOTDIR && r != -ELOOP)
		return r;
	log_warning("%s in the artifact index is not a directory, ignoring it", name);
	return 0;
}

static int scan_run(int dir_fd, const char *name, void *userdata)
{
	return scan_directory(dir_fd, name, scan_key, userdata);
}

static int scan_project(int dir_fd, const char *name, void *userdata)
{
	struct key_scan scan = {.store = userdata};

	scan.project = account_project(scan.store, name);
	return scan.project ? scan_directory(dir_fd, name, scan_run, &scan) : -ENOMEM;
}

static int remove_temporary(int dir_fd, const char *name, void *userdata)
{
	if (unlinkat(dir_fd, name, 0) < 0)
		log_warning("cannot remove %s from the artifact store: %s, ignoring it", name,
			    strerror(errno));
	return 0;
}

struct blob_scan {
	struct store *store;
	const char *prefix;
};

/* Remove contents that no key names; count the disk space of all others. */
static int remove_unnamed(int dir_fd, const char *name, void *userdata)
{
	struct blob_scan *scan = userdata;
	char text[2 * STORE_DIGEST_BYTES + 3];
	uint8_t digest[STORE_DIGEST_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s", scan->prefix, name);
	if (strlen(scan->prefix) + strlen(name) == 2 * STORE_DIGEST_BYTES &&
	    digest_parse(text, digest) == 0 && references_has(&scan->store->references, digest)) {
		cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			scan->store->stored += references_stored(&scan->store->references, digest,
								 account_size(fd));
		return 0;
	}
	return remove_temporary(dir_fd, name, NULL);
}

static int scan_blobs(struct store *store, int blobs_fd)
{
	for (unsigned i = 0; i < 256; i++) {
		char prefix[3];
		struct blob_scan scan = {store, prefix};
		int r;

		(void)snprintf(prefix, sizeof(prefix), "%02x", i);
		if (mkdirat(blobs_fd, prefix, 0700) < 0 && errno != EEXIST)
			return -errno;
		r = directory_each(blobs_fd, prefix, remove_unnamed, &scan);
		if (r < 0)
			return r;
	}
	return fsync(blobs_fd) < 0 ? -errno : 0;
}

static int open_part(int dir_fd, const char *name, struct error *error)
{
	int fd;

	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return error_errno(error, errno, "cannot make the artifact directory %s", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_errno(error, errno, "cannot open the artifact directory %s", name)
		      : fd;
}

int store_open(const char *path, struct store **ret_store, struct error *error)
{
	cleanup_close int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct store *store;
	int r = 0;

	if (dir_fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	store = calloc(1, sizeof(*store));
	if (!store)
		return error_set(error, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&store->lock, NULL);
	store->limits = STORE_LIMITS_DEFAULT;
	store->blobs_fd = store->packed_fd = store->runs_fd = -1;
	store->tmp_fd = open_part(dir_fd, "tmp", error);
	if (store->tmp_fd >= 0)
		store->runs_fd = open_part(dir_fd, "runs", error);
	if (store->runs_fd >= 0)
		store->blobs_fd = open_part(dir_fd, "blobs", error);
	if (store->blobs_fd >= 0)
		store->packed_fd = open_part(dir_fd, "packed", error);
	if (store->packed_fd < 0) {
		(void)store_close(store);
		return -error->number;
	}
	r = directory_each(store->tmp_fd, ".", remove_temporary, NULL);
	if (r == 0)
		r = directory_each(store->runs_fd, ".", scan_project, store);
	if (r == 0)
		r = scan_blobs(store, store->blobs_fd);
	if (r == 0)
		r = scan_blobs(store, store->packed_fd);
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)store_close(store);
		return error_errno(error, -r, "cannot read the artifact store in %s", path);
	}
	*ret_store = store;
	return 0;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	references_clear(&store->references);
	if (store->tmp_fd >= 0)
		(void)close(store->tmp_fd);
	if (store->runs_fd >= 0)
		(void)close(store->runs_fd);
	if (store->blobs_fd >= 0)
		(void)close(store->blobs_fd);
	if (store->packed_fd >= 0)
		(void)close(store->packed_fd);
	while (store->projects) {
		struct store_project *project = store->projects;

		store->projects = project->next;
		free(project);
	}
	(void)pthread_mutex_destroy(&store->lock);
	free(store);
	return NULL;
}

/* ---- runs ---- */

int store_run_open(struct store *store, const char *project, uint64_t run,
		   struct store_run **ret_run)
{
	char name[sizeof((*ret_run)->name)];
	struct store_project *of_project = account_project(store, project);
	struct store_run *found;

	if (!of_project)
		return -ENOMEM;
	(void)snprintf(name, sizeof(name), "%s/%" PRIu64, project, run);
	(void)pthread_mutex_lock(&store->lock);
	for (found = store->runs; found && strcmp(found->name, name) != 0; found = found->next)
		;
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (found) {
			memcpy(found->name, name, sizeof(name));
			found->store = store;
			found->project = of_project;
			(void)pthread_mutex_init(&found->lock, NULL);
			found->next = store->runs;
			store->runs = found;
		}
	}
	if (found)
		found->users++;
	(void)pthread_mutex_unlock(&store->lock);
	*ret_run = found;
	return found ? 0 : -ENOMEM;
}

struct store_run *store_run_close(struct store_run *run)
{
	struct store *store = run ? run->store : NULL;
	struct store_run **place;
	bool last;

	if (!run)
		return NULL;
	(void)pthread_mutex_lock(&store->lock);
	last = --run->users == 0;
	for (place = &store->runs; last && *place; place = &(*place)->next)
		if (*place == run) {
			*place = run->next;
			break;
		}
	(void)pthread_mutex_unlock(&store->lock);
	if (last) {
		key_list_clear(&run->keys);
		(void)pthread_mutex_destroy(&run->lock);
		free(run);
	}
	return NULL;
}

static int load_key(int dir_fd, const char *name, void *userdata)
{
	struct store_run *run = userdata;
	char key[ARTIFACT_KEY_MAX + 1];
	struct store_entry entry;

	if (index_read(dir_fd, name, key, &entry) < 0)
		return 0; /* a damaged index file, reported when the store was opened */
	run->bytes += entry.size;
	return key_list_set(&run->keys, key, &entry);
}

int store_run_lock(struct store_run *run, struct error *error)
{
	int r = 0;

	(void)pthread_mutex_lock(&run->lock);
	if (!run->loaded) {
		r = directory_each(run->store->runs_fd, run->name, load_key, run);
		run->loaded = r == 0 || r == -ENOENT;
		if (run->loaded)
			return 0;
		key_list_clear(&run->keys);
		run->bytes = 0;
		(void)pthread_mutex_unlock(&run->lock);
		return error_errno(error, -r, "cannot read the artifact index of run %s",
				   run->name);
	}
	return 0;
}

void store_run_unlock(struct store_run *run)
{
	(void)pthread_mutex_unlock(&run->lock);
}

/* ---- gets, deletes and lists ---- */

static int no_key(struct error *error, const struct store_run *run, const char *key)
{
	(void)error_set(error, ENOENT,
			"no artifact \"%s\" in this run: `cacher ls` lists those that are", key);
	return STORE_E_NO_KEY;
}

/* Open the contents, unpacked or packed; set @entry->packed. Return: 0 or -errno. */
static int content_open(struct store *store, struct store_entry *entry, int *ret_fd)
{
	char name[BLOB_NAME_MAX];

	store_blob_name(name, entry->digest);
	entry->packed = true;
	*ret_fd = openat(store->packed_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT) {
		entry->packed = false;
		*ret_fd = openat(store->blobs_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	return *ret_fd < 0 ? -errno : 0;
}

int store_get(struct store_run *run, const char *key, int *ret_fd, struct store_entry *ret_entry,
	      struct error *error)
{
	const struct key_entry *found;
	cleanup_close int fd = -1;
	struct stat status;
	int r = store_run_lock(run, error);

	if (r < 0)
		return r;
	found = key_list_find(&run->keys, key);
	if (found) {
		*ret_entry = found->entry;
		r = content_open(run->store, ret_entry, &fd);
	}
	store_run_unlock(run);
	if (!found)
		return no_key(error, run, key);
	if (r < 0)
		return error_errno(error, -r, "the stored artifact \"%s\" cannot be opened", key);
	if (fstat(fd, &status) < 0 ||
	    (!ret_entry->packed && (uint64_t)status.st_size != ret_entry->size))
		return error_set(error, EIO, "the stored artifact \"%s\" is damaged: put it again",
				 key);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int store_delete(struct store_run *run, const char *key, struct error *error)
{
	uint8_t digest[STORE_DIGEST_BYTES];
	char path[sizeof(run->name) + ARTIFACT_KEY_MAX + 2];
	char name[ARTIFACT_KEY_MAX + 1];
	struct key_entry *found;
	int r = store_run_lock(run, error);

	if (r < 0)
		return r;
	index_name(name, key);
	(void)snprintf(path, sizeof(path), "%s/%s", run->name, name);
	found = key_list_find(&run->keys, key);
	if (found) {
		memcpy(digest, found->entry.digest, sizeof(digest));
		if (unlinkat(run->store->runs_fd, path, 0) < 0 && errno != ENOENT) {
			r = error_errno(error, errno, "cannot delete \"%s\"", key);
		} else {
			run->bytes -= found->entry.size;
			account_keys(run, 0, found->entry.size);
			key_list_remove(&run->keys, key);
		}
	}
	store_run_unlock(run);
	if (!found)
		return no_key(error, run, key);
	if (r < 0)
		return r;
	r = store_sync_directory(run->store->runs_fd, run->name);
	if (r < 0)
		return error_errno(error, -r, "cannot delete \"%s\" durably", key);
	store_reference_release(run->store, digest);
	return 0;
}

int store_list(struct store_run *run, store_list_fn callback, void *userdata)
{
	int r = store_run_lock(run, NULL);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < run->keys.n_items; i++)
		r = callback(userdata, run->keys.items[i].key, &run->keys.items[i].entry);
	store_run_unlock(run);
	return r < 0 ? r : 0;
}

void store_usage(struct store_run *run, uint64_t *ret_bytes, uint64_t *ret_count)
{
	*ret_bytes = *ret_count = 0;
	if (store_run_lock(run, NULL) < 0)
		return;
	*ret_bytes = run->bytes;
	*ret_count = run->keys.n_items;
	store_run_unlock(run);
}
