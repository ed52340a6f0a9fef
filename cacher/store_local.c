/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: The store in a directory
 *
 *   blobs/ab/cdef…          contents, named by their digest, never changed
 *   runs/PROJECT/RUN/NAME   one small text file for each key (store_index.h)
 *   tmp/N                   what is being written; emptied at start
 *
 * A put writes tmp/, syncs it, renames it into blobs/ and syncs that directory;
 * only then does an index file, made in the same way, name it. So an index file
 * never names a content that a power cut could take away. Two puts of the same
 * bytes rename over each other, which changes nothing.
 *
 * Contents nobody names are removed: at once when their last key goes, and at
 * start what a crash left. A reference is counted before the content is
 * renamed into place, hence a delete that runs beside it leaves it alone.
 *
 * Locks: run->lock guards the keys of one run, store->lock everything else; the
 * second may be taken within the first. Neither is held while contents are
 * copied or synced.
 */

#include "cacher/store.h"

#include "cacher/store_index.h"
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
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define WRITEBACK_STEP (16 * MIB) /* start writing back early: the last sync is short then */
#define TEMPORARY_NAME_MAX 24
#define BLOB_NAME_MAX (2 * STORE_DIGEST_BYTES + 2)

struct store {
	int blobs_fd, runs_fd, tmp_fd;
	pthread_mutex_t lock;
	struct references references;
	struct store_run *runs; /* those in use */
	uint64_t bytes_per_run, count_per_run;
	atomic_uint_fast64_t next_temporary;
};

struct store_run {
	struct store *store;
	struct store_run *next;
	unsigned users; /* guarded by store->lock */
	char name[PROJECT_NAME_MAX + 24];
	pthread_mutex_t lock;
	bool loaded;
	struct key_list keys;
	uint64_t bytes;	   /* of all keys */
	uint64_t reserved; /* of puts under way */
};

struct store_put {
	struct store_run *run;
	struct store_entry entry;
	uint64_t reserved;
	uint64_t synced; /* bytes whose writing back has been started */
	int fd;
	char temporary[TEMPORARY_NAME_MAX];
	crypto_generichash_state hash;
	char key[ARTIFACT_KEY_MAX + 1];
};

/* ---- names ---- */

static void blob_name(char name[BLOB_NAME_MAX], const uint8_t *digest)
{
	char text[2 * STORE_DIGEST_BYTES + 1];

	digest_text(text, digest);
	memcpy(name, text, 2);
	name[2] = '/';
	memcpy(name + 3, text + 2, sizeof(text) - 2);
}

static int temporary_new(struct store *store, char name[TEMPORARY_NAME_MAX])
{
	int fd;

	(void)snprintf(name, TEMPORARY_NAME_MAX, "%" PRIuFAST64,
		       atomic_fetch_add(&store->next_temporary, 1));
	fd = openat(store->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	return fd < 0 ? -errno : fd;
}

static int sync_directory(int dir_fd, const char *path)
{
	cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* One name less for a content; with the last one it goes. */
static void reference_release(struct store *store, const uint8_t *digest)
{
	char name[BLOB_NAME_MAX];

	blob_name(name, digest);
	(void)pthread_mutex_lock(&store->lock);
	if (references_drop(&store->references, digest) && unlinkat(store->blobs_fd, name, 0) < 0 &&
	    errno != ENOENT)
		log_warning("cannot remove artifact content %s: %s, ignoring until the next start",
			    name, strerror(errno));
	(void)pthread_mutex_unlock(&store->lock);
}

/* ---- opening ---- */

typedef int (*directory_entry_fn)(int dir_fd, const char *name, void *userdata);

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

/* Read one index file. Return: 0, or -errno for a file that is none of ours. */
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

static int scan_key(int dir_fd, const char *name, void *userdata)
{
	struct store *store = userdata;
	char key[ARTIFACT_KEY_MAX + 1];
	struct store_entry entry;
	int r = index_read(dir_fd, name, key, &entry);

	if (r == 0)
		return references_add(&store->references, entry.digest);
	log_warning("artifact index file %s cannot be read: %s, ignoring it", name, strerror(-r));
	return 0;
}

/* What is no directory here is none of ours: it stays, and the start goes on. */
static int scan_directory(int dir_fd, const char *name, directory_entry_fn each, void *userdata)
{
	int r = directory_each(dir_fd, name, each, userdata);

	if (r != -ENOTDIR && r != -ELOOP)
		return r;
	log_warning("%s in the artifact index is no directory, ignoring it", name);
	return 0;
}

static int scan_run(int dir_fd, const char *name, void *userdata)
{
	return scan_directory(dir_fd, name, scan_key, userdata);
}

static int scan_project(int dir_fd, const char *name, void *userdata)
{
	return scan_directory(dir_fd, name, scan_run, userdata);
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

static int remove_unnamed(int dir_fd, const char *name, void *userdata)
{
	struct blob_scan *scan = userdata;
	char text[2 * STORE_DIGEST_BYTES + 3];
	uint8_t digest[STORE_DIGEST_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s", scan->prefix, name);
	if (strlen(scan->prefix) + strlen(name) == 2 * STORE_DIGEST_BYTES &&
	    digest_parse(text, digest) == 0 && references_has(&scan->store->references, digest))
		return 0;
	return remove_temporary(dir_fd, name, NULL);
}

static int scan_blobs(struct store *store)
{
	for (unsigned i = 0; i < 256; i++) {
		char prefix[3];
		struct blob_scan scan = {store, prefix};
		int r;

		(void)snprintf(prefix, sizeof(prefix), "%02x", i);
		if (mkdirat(store->blobs_fd, prefix, 0700) < 0 && errno != EEXIST)
			return -errno;
		r = directory_each(store->blobs_fd, prefix, remove_unnamed, &scan);
		if (r < 0)
			return r;
	}
	return fsync(store->blobs_fd) < 0 ? -errno : 0;
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
	if (sodium_init() < 0)
		return error_set(error, EIO, "cannot initialise libsodium");
	store = calloc(1, sizeof(*store));
	if (!store)
		return error_set(error, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&store->lock, NULL);
	store->bytes_per_run = ARTIFACT_BYTES_PER_RUN;
	store->count_per_run = ARTIFACT_COUNT_PER_RUN;
	store->blobs_fd = store->runs_fd = -1;
	store->tmp_fd = open_part(dir_fd, "tmp", error);
	if (store->tmp_fd >= 0)
		store->runs_fd = open_part(dir_fd, "runs", error);
	if (store->runs_fd >= 0)
		store->blobs_fd = open_part(dir_fd, "blobs", error);
	if (store->blobs_fd < 0) {
		(void)store_free(store);
		return -error->number;
	}
	r = directory_each(store->tmp_fd, ".", remove_temporary, NULL);
	if (r == 0)
		r = directory_each(store->runs_fd, ".", scan_project, store);
	if (r == 0)
		r = scan_blobs(store);
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)store_free(store);
		return error_errno(error, -r, "cannot read the artifact store in %s", path);
	}
	*ret_store = store;
	return 0;
}

struct store *store_free(struct store *store)
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
	(void)pthread_mutex_destroy(&store->lock);
	free(store);
	return NULL;
}

void store_set_limits(struct store *store, uint64_t bytes_per_run, uint64_t count_per_run)
{
	(void)pthread_mutex_lock(&store->lock);
	store->bytes_per_run = bytes_per_run;
	store->count_per_run = count_per_run;
	(void)pthread_mutex_unlock(&store->lock);
}

/* ---- runs ---- */

int store_run_open(struct store *store, const char *project, uint64_t run,
		   struct store_run **ret_run)
{
	char name[sizeof((*ret_run)->name)];
	struct store_run *found;

	(void)snprintf(name, sizeof(name), "%s/%" PRIu64, project, run);
	(void)pthread_mutex_lock(&store->lock);
	for (found = store->runs; found && strcmp(found->name, name) != 0; found = found->next)
		;
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (found) {
			memcpy(found->name, name, sizeof(name));
			found->store = store;
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
		return 0; /* reported at start */
	run->bytes += entry.size;
	return key_list_set(&run->keys, key, &entry);
}

/* Lock the run with its keys in memory. Return: 0 (locked) or -errno (not locked). */
static int run_lock(struct store_run *run, struct error *error)
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

static void run_unlock(struct store_run *run)
{
	(void)pthread_mutex_unlock(&run->lock);
}

/* ---- puts ---- */

struct limits {
	uint64_t bytes, count;
};

static struct limits limits_now(struct store *store)
{
	struct limits limits;

	(void)pthread_mutex_lock(&store->lock);
	limits = (struct limits){store->bytes_per_run, store->count_per_run};
	(void)pthread_mutex_unlock(&store->lock);
	return limits;
}

static int over_bytes(struct error *error, uint64_t limit)
{
	(void)error_set(error, EDQUOT,
			"over the limit of %" PRIu64 " bytes of artifacts in one run: delete what "
			"no step needs any more, or raise [Cacher] MaxBytes=",
			limit);
	return STORE_E_OVER_LIMIT;
}

static int over_count(struct error *error, uint64_t limit)
{
	(void)error_set(error, EDQUOT,
			"over the limit of %" PRIu64 " artifacts in one run: put a directory "
			"instead of many files, or raise [Cacher] MaxCount=",
			limit);
	return STORE_E_OVER_LIMIT;
}

static int no_room(struct error *error)
{
	(void)error_set(error, ENOSPC,
			"the host has no room for more artifacts: free some space in the file "
			"system of the artifact store");
	return STORE_E_OVER_LIMIT;
}

/* Whether @more bytes leave the file system its last hundredth, which deleting may need. */
static bool room_left(struct store *store, uint64_t more)
{
	struct statvfs status;

	if (fstatvfs(store->tmp_fd, &status) < 0)
		return true; /* then writing will tell */
	return (uint64_t)status.f_bavail * status.f_frsize >=
	       more + (uint64_t)status.f_blocks * status.f_frsize / 100;
}

/* Count @more bytes of @put against its run. What @key names now will be replaced. */
static int reserve(struct store_put *put, uint64_t more, struct error *error)
{
	struct store_run *run = put->run;
	struct limits limits = limits_now(run->store);
	const struct key_entry *old;
	uint64_t used;
	int r = run_lock(run, error);

	if (r < 0)
		return r;
	old = key_list_find(&run->keys, put->key);
	used = run->bytes - (old ? old->entry.size : 0) + run->reserved;
	if (more > limits.bytes || used > limits.bytes - more) {
		r = over_bytes(error, limits.bytes);
	} else if (!old && run->keys.n_items >= limits.count) {
		r = over_count(error, limits.count);
	} else {
		run->reserved += more;
		put->reserved += more;
	}
	run_unlock(run);
	return r;
}

int store_put_begin(struct store_run *run, const char *key, enum cacher_kind kind, unsigned mode,
		    struct timespec mtime, uint64_t expected, struct store_put **ret_put,
		    struct error *error)
{
	struct store_put *put;
	int r;

	if (posix_memalign((void **)&put, 64, sizeof(*put)) != 0)
		return error_set(error, ENOMEM, "out of memory");
	*put = (struct store_put){.run = run, .fd = -1};
	put->entry = (struct store_entry){.kind = kind, .mode = mode & 07777, .mtime = mtime};
	memcpy(put->key, key, strlen(key) + 1);
	r = reserve(put, expected, error);
	if (r == 0 && !room_left(run->store, expected))
		r = no_room(error);
	if (r == 0) {
		put->fd = temporary_new(run->store, put->temporary);
		if (put->fd < 0)
			r = error_errno(error, -put->fd,
					"cannot make a file in the artifact store");
	}
	if (r != 0) {
		(void)store_put_abort(put);
		return r;
	}
	(void)crypto_generichash_init(&put->hash, NULL, 0, STORE_DIGEST_BYTES);
	*ret_put = put;
	return 0;
}

int store_put_write(struct store_put *put, const void *data, size_t size, struct error *error)
{
	int r;

	if (put->entry.size + size > put->reserved) {
		r = reserve(put, put->entry.size + size - put->reserved, error);
		if (r != 0)
			return r;
	}
	r = fd_write_all(put->fd, data, size);
	if (r == -ENOSPC || r == -EDQUOT)
		return no_room(error);
	if (r < 0)
		return error_errno(error, -r, "cannot write to the artifact store");
	(void)crypto_generichash_update(&put->hash, data, size);
	put->entry.size += size;
	if (put->entry.size - put->synced >= WRITEBACK_STEP) {
		/* only a hint: fsync() at the end reports what goes wrong */
		(void)sync_file_range(put->fd, (off_t)put->synced,
				      (off_t)(put->entry.size - put->synced),
				      SYNC_FILE_RANGE_WRITE);
		put->synced = put->entry.size;
		if (!room_left(put->run->store, 0))
			return no_room(error);
	}
	return 0;
}

/* Free @put and give its reservation back; its temporary file is gone or renamed. */
static void put_free(struct store_put *put)
{
	struct store_run *run = put->run;

	(void)pthread_mutex_lock(&run->lock);
	run->reserved -= put->reserved;
	(void)pthread_mutex_unlock(&run->lock);
	if (put->fd >= 0)
		(void)close(put->fd);
	free(put);
}

struct store_put *store_put_abort(struct store_put *put)
{
	if (!put)
		return NULL;
	if (put->fd >= 0)
		(void)unlinkat(put->run->store->tmp_fd, put->temporary, 0);
	put_free(put);
	return NULL;
}

/* Rename the written content to its digest, durably. The reference is counted already. */
static int content_keep(struct store_put *put)
{
	struct store *store = put->run->store;
	char name[BLOB_NAME_MAX];
	char prefix[3] = {0};

	blob_name(name, put->entry.digest);
	memcpy(prefix, name, 2);
	if (fsync(put->fd) < 0 ||
	    renameat(store->tmp_fd, put->temporary, store->blobs_fd, name) < 0)
		return -errno;
	return sync_directory(store->blobs_fd, prefix);
}

/* The run's directory, made durably when it is not there yet. Return: fd or -errno. */
static int run_directory(struct store_run *run)
{
	char project[PROJECT_NAME_MAX + 1];
	int fd = openat(run->store->runs_fd, run->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	(void)snprintf(project, sizeof(project), "%.*s", (int)strcspn(run->name, "/"), run->name);
	r = make_directories(run->store->runs_fd, run->name, 0700);
	if (r == 0)
		r = sync_directory(run->store->runs_fd, project);
	if (r == 0 && fsync(run->store->runs_fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	fd = openat(run->store->runs_fd, run->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Write the index file of @put as a temporary one. Return: 0 or -errno. */
static int index_write(struct store *store, const struct store_entry *entry,
		       char temporary[TEMPORARY_NAME_MAX])
{
	cleanup_close int fd = temporary_new(store, temporary);
	char text[INDEX_TEXT_MAX];
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_all(fd, text, index_format(text, entry));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(store->tmp_fd, temporary, 0);
	return r;
}

/*
 * Let the key name the content. @ret_old: the digest it named before, when it
 * did. Return: 0, STORE_E_OVER_LIMIT or -errno.
 */
static int key_set(struct store_put *put, int dir_fd, const char *temporary, bool *ret_replaced,
		   uint8_t *ret_old, struct error *error)
{
	struct store_run *run = put->run;
	struct limits limits = limits_now(run->store);
	char name[ARTIFACT_KEY_MAX + 1];
	struct key_entry *old;
	uint64_t old_size;
	int r = run_lock(run, error);

	if (r < 0)
		return r;
	index_name(name, put->key);
	old = key_list_find(&run->keys, put->key);
	old_size = old ? old->entry.size : 0;
	*ret_replaced = old != NULL;
	if (old)
		memcpy(ret_old, old->entry.digest, STORE_DIGEST_BYTES);
	if (run->bytes - old_size + put->entry.size > limits.bytes)
		r = over_bytes(error, limits.bytes);
	else if (!old && run->keys.n_items >= limits.count)
		r = over_count(error, limits.count);
	else if (renameat(run->store->tmp_fd, temporary, dir_fd, name) < 0)
		r = error_errno(error, errno, "cannot write the artifact index");
	else if (key_list_set(&run->keys, put->key, &put->entry) < 0) {
		/* the file is there and memory is not: read it again when it is needed */
		key_list_clear(&run->keys);
		run->bytes = 0;
		run->loaded = false;
	} else {
		run->bytes += put->entry.size - old_size;
	}
	run_unlock(run);
	return r;
}

/* @ret_named: the key names the new content, even when that is not known to be durable. */
static int index_keep(struct store_put *put, bool *ret_named, struct error *error)
{
	struct store *store = put->run->store;
	cleanup_close int dir_fd = run_directory(put->run);
	char temporary[TEMPORARY_NAME_MAX];
	uint8_t old[STORE_DIGEST_BYTES];
	bool replaced = false;
	int r;

	r = dir_fd < 0 ? dir_fd : index_write(store, &put->entry, temporary);
	if (r < 0)
		return error_errno(error, -r, "cannot write the artifact index");
	r = key_set(put, dir_fd, temporary, &replaced, old, error);
	if (r != 0) {
		(void)unlinkat(store->tmp_fd, temporary, 0);
		return r;
	}
	*ret_named = true;
	/* the old content goes only after no power cut can bring its name back */
	if (fsync(dir_fd) < 0)
		return error_errno(error, errno, "cannot make the artifact durable");
	if (replaced)
		reference_release(store, old);
	return 0;
}

int store_put_commit(struct store_put *put, struct error *error)
{
	struct store *store = put->run->store;
	bool named = false;
	int r;

	(void)crypto_generichash_final(&put->hash, put->entry.digest, STORE_DIGEST_BYTES);
	put->entry.created_usec = wall_usec();
	(void)pthread_mutex_lock(&store->lock);
	r = references_add(&store->references, put->entry.digest);
	(void)pthread_mutex_unlock(&store->lock);
	if (r < 0) {
		(void)store_put_abort(put);
		return error_set(error, ENOMEM, "out of memory");
	}
	r = content_keep(put);
	if (r == -ENOSPC || r == -EDQUOT)
		r = no_room(error);
	else if (r < 0)
		(void)error_errno(error, -r, "cannot write to the artifact store");
	if (r != 0)
		(void)unlinkat(store->tmp_fd, put->temporary, 0);
	else
		r = index_keep(put, &named, error);
	if (!named)
		reference_release(store, put->entry.digest);
	put_free(put);
	return r;
}

/* ---- gets and the rest ---- */

static int no_key(struct error *error, const struct store_run *run, const char *key)
{
	(void)error_set(error, ENOENT,
			"no artifact \"%s\" in this run: `cacher ls` lists those that are", key);
	return STORE_E_NO_KEY;
}

int store_get(struct store_run *run, const char *key, int *ret_fd, struct store_entry *ret_entry,
	      struct error *error)
{
	const struct key_entry *found;
	char name[BLOB_NAME_MAX];
	cleanup_close int fd = -1;
	struct stat status;
	int r = run_lock(run, error);

	if (r < 0)
		return r;
	found = key_list_find(&run->keys, key);
	if (found) {
		*ret_entry = found->entry;
		blob_name(name, found->entry.digest);
		fd = openat(run->store->blobs_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	run_unlock(run);
	if (!found)
		return no_key(error, run, key);
	if (r < 0)
		return error_errno(error, -r, "the stored artifact \"%s\" cannot be opened", key);
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size != ret_entry->size)
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
	int r = run_lock(run, error);

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
			key_list_remove(&run->keys, key);
		}
	}
	run_unlock(run);
	if (!found)
		return no_key(error, run, key);
	if (r < 0)
		return r;
	r = sync_directory(run->store->runs_fd, run->name);
	if (r < 0)
		return error_errno(error, -r, "cannot delete \"%s\" durably", key);
	reference_release(run->store, digest);
	return 0;
}

int store_list(struct store_run *run, store_list_fn callback, void *userdata)
{
	int r = run_lock(run, NULL);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < run->keys.n_items; i++)
		r = callback(userdata, run->keys.items[i].key, &run->keys.items[i].entry);
	run_unlock(run);
	return r < 0 ? r : 0;
}

void store_usage(struct store_run *run, uint64_t *ret_bytes, uint64_t *ret_count)
{
	*ret_bytes = *ret_count = 0;
	if (run_lock(run, NULL) < 0)
		return;
	*ret_bytes = run->bytes;
	*ret_count = run->keys.n_items;
	run_unlock(run);
}
