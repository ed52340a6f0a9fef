/* SPDX-License-Identifier: Apache-2.0 */

/* Puts: limits, contents, and the key that names them. store_local.c explains the order. */

#include "cacher/content.h"
#include "cacher/hasher.h"
#include "cacher/store_local.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define WRITEBACK_STEP (4 * MIB) /* start writeback early, to make the final fsync(2) short */

struct store_put {
	struct store_run *run;
	struct store_entry entry;
	uint64_t reserved;
	uint64_t charged; /* bytes on the disk that account_disk() has counted for it */
	uint64_t synced;  /* bytes whose writeback has been started */
	struct content_writer content;
	int fd;
	char temporary[TEMPORARY_NAME_MAX];
	struct hasher hasher;
	size_t filled; /* bytes of the hasher's buffer that are neither hashed nor written yet */
	char key[ARTIFACT_KEY_MAX + 1];
};

static struct store_limits limits_now(struct store *store)
{
	struct store_limits limits;

	(void)pthread_mutex_lock(&store->lock);
	limits = store->limits;
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

static int put_failed(int r, struct error *error)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return no_room(error);
	return r < 0 ? error_errno(error, -r, "cannot write to the artifact store") : r;
}

/* Do @more bytes leave a hundredth of the file system free, which deleting may need? */
static bool room_left(struct store *store, uint64_t more)
{
	struct statvfs status;

	if (fstatvfs(store->tmp_fd, &status) < 0)
		return true; /* a full disk will make write(2) fail */
	return (uint64_t)status.f_bavail * status.f_frsize >=
	       more + (uint64_t)status.f_blocks * status.f_frsize / 100;
}

/* Reserve @more bytes of @put for its run, less the artifact that its key names now. */
static int reserve(struct store_put *put, uint64_t more, struct error *error)
{
	struct store_run *run = put->run;
	struct store_limits limits = limits_now(run->store);
	const struct key_entry *old;
	uint64_t used;
	int r = store_run_lock(run, error);

	if (r < 0)
		return r;
	old = key_list_find(&run->keys, put->key);
	used = run->bytes - (old ? old->entry.size : 0) + run->reserved;
	if (more > limits.bytes_per_run || used > limits.bytes_per_run - more) {
		r = over_bytes(error, limits.bytes_per_run);
	} else if (!old && run->keys.n_items >= limits.count_per_run) {
		r = over_count(error, limits.count_per_run);
	} else {
		r = account_reserve(run, more, old ? old->entry.size : 0, error);
	}
	if (r == 0) {
		run->reserved += more;
		put->reserved += more;
	}
	store_run_unlock(run);
	return r;
}

int store_put_begin(struct store_run *run, const char *key, enum cacher_kind kind, unsigned mode,
		    struct timespec mtime, uint64_t expected, struct store_put **ret_put,
		    struct error *error)
{
	struct store_put *put;
	int r;

	put = malloc(sizeof(*put));
	if (!put)
		return error_set(error, ENOMEM, "out of memory");
	*put = (struct store_put){.run = run, .fd = -1};
	put->entry = (struct store_entry){.kind = kind, .mode = mode & 07777, .mtime = mtime};
	memcpy(put->key, key, strlen(key) + 1);
	r = reserve(put, expected, error);
	if (r == 0 && !room_left(run->store, expected))
		r = no_room(error);
	if (r == 0) {
		put->fd = store_temporary_new(run->store, put->temporary);
		if (put->fd < 0)
			r = error_errno(error, -put->fd,
					"cannot make a file in the artifact store");
		else if (content_begin(&put->content, put->fd) < 0 || hasher_init(&put->hasher) < 0)
			r = error_set(error, ENOMEM, "out of memory");
	}
	if (r != 0) {
		(void)store_put_abort(put);
		return r;
	}
	*ret_put = put;
	return 0;
}

/* Count the bytes that have been written, and start their writeback. */
static int put_written(struct store_put *put, int written, struct error *error)
{
	const struct content_writer *content = &put->content;
	uint64_t stored = content->stored - content->holes;
	int r;

	if (written < 0)
		return put_failed(written, error);
	if (stored > put->charged) {
		r = account_disk(put->run->store, stored - put->charged, error);
		if (r != 0)
			return r;
		put->charged = stored;
	}
	if (content->stored < put->synced) /* rewritten unpacked from the start */
		put->synced = 0;
	if (content->stored - put->synced >= WRITEBACK_STEP) {
		/* only a hint: the final fsync(2) reports failures */
		(void)sync_file_range(put->fd, (off_t)put->synced,
				      (off_t)(content->stored - put->synced),
				      SYNC_FILE_RANGE_WRITE);
		put->synced = content->stored;
		if (!room_left(put->run->store, 0))
			return no_room(error);
	}
	return 0;
}

void store_put_worth(struct store_put *put, bool worth)
{
	put->content.decided = true;
	if (!worth)
		content_raw(&put->content);
}

/* Reserve room for @size more bytes of contents. */
static int put_reserve(struct store_put *put, uint64_t size, struct error *error)
{
	uint64_t free = put->reserved - put->entry.size;

	return size > free ? reserve(put, size - free, error) : 0;
}

/* Hash and write what the buffer has; the other one is filled next. */
static int put_flush(struct store_put *put, struct error *error)
{
	const uint8_t *data = hasher_buffer(&put->hasher);
	size_t size = put->filled;

	put->filled = 0;
	hasher_add(&put->hasher, size);
	return put_written(put, content_write(&put->content, data, size), error);
}

void *store_put_room(struct store_put *put, size_t *ret_size)
{
	*ret_size = HASHER_BUFFER_BYTES - put->filled;
	return hasher_buffer(&put->hasher) + put->filled;
}

int store_put_filled(struct store_put *put, size_t size, struct error *error)
{
	int r = put_reserve(put, size, error);

	if (r != 0)
		return r;
	put->entry.size += size;
	put->filled += size;
	return put->filled == HASHER_BUFFER_BYTES ? put_flush(put, error) : 0;
}

int store_put_zeroes(struct store_put *put, uint64_t size, struct error *error)
{
	int r = put_reserve(put, size, error);

	if (r == 0)
		r = put_flush(put, error);
	if (r != 0)
		return r;
	put->entry.size += size;
	hasher_zeroes(&put->hasher, size);
	return put_written(put, content_zeroes(&put->content, size), error);
}

/* Free @put and its reservation; its temporary file has been removed or renamed. */
static void put_free(struct store_put *put)
{
	struct store_run *run = put->run;

	(void)pthread_mutex_lock(&run->lock);
	run->reserved -= put->reserved;
	(void)pthread_mutex_unlock(&run->lock);
	account_release(run, put->reserved);
	account_gone(run->store, put->charged);
	hasher_done(&put->hasher);
	content_done(&put->content);
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

/* Packing saved too little: write the contents unpacked to a file of their own. */
static int content_plain(struct store_put *put)
{
	struct store *store = put->run->store;
	char temporary[TEMPORARY_NAME_MAX];
	int fd = store_temporary_new(store, temporary);
	int r = fd < 0 ? fd : content_unpack(&put->content, fd);

	if (fd < 0)
		return r;
	if (r < 0) {
		(void)unlinkat(store->tmp_fd, temporary, 0);
		(void)close(fd);
		return r;
	}
	(void)unlinkat(store->tmp_fd, put->temporary, 0);
	(void)close(put->fd);
	put->fd = fd;
	memcpy(put->temporary, temporary, sizeof(temporary));
	return 0;
}

/* Rename the file to its digest, unless the store has the contents in the other form. */
static int content_rename(struct store_put *put, const char *name, uint64_t stored)
{
	struct store *store = put->run->store;
	int here = put->content.packed ? store->packed_fd : store->blobs_fd;
	int there = put->content.packed ? store->blobs_fd : store->packed_fd;
	char prefix[3] = {name[0], name[1], '\0'};
	struct stat status;
	bool other;
	int r = 0;

	(void)pthread_mutex_lock(&store->lock);
	other = fstatat(there, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
	/* replace damaged contents */
	if (other && there == store->blobs_fd && (uint64_t)status.st_size != put->entry.size)
		other = unlinkat(there, name, 0) < 0;
	if (other)
		(void)unlinkat(store->tmp_fd, put->temporary, 0);
	else if (renameat(store->tmp_fd, put->temporary, here, name) < 0)
		r = -errno;
	if (r == 0 && !other)
		store->stored += references_stored(&store->references, put->entry.digest, stored);
	(void)pthread_mutex_unlock(&store->lock);
	return r < 0 ? r : store_sync_directory(other ? there : here, prefix);
}

/* Make the contents durable under their digest, whose reference has been counted. */
static int content_keep(struct store_put *put, struct error *error)
{
	char name[BLOB_NAME_MAX];
	uint64_t stored;
	int r = content_end(&put->content);

	if (r > 0)
		r = content_plain(put);
	if (r == 0 && fsync(put->fd) < 0)
		r = -errno;
	if (r < 0)
		return put_failed(r, error);
	/* small contents have not been counted before: their blocks are known only now */
	stored = account_size(put->fd);
	if (stored > put->charged) {
		r = account_disk(put->run->store, stored - put->charged, error);
		if (r != 0)
			return r;
		put->charged = stored;
	}
	store_blob_name(name, put->entry.digest);
	return put_failed(content_rename(put, name, stored), error);
}

/* Open the run's directory; create it durably if it is missing. Return: fd or -errno. */
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
		r = store_sync_directory(run->store->runs_fd, project);
	if (r == 0 && fsync(run->store->runs_fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	fd = openat(run->store->runs_fd, run->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Write the index file of @entry under a temporary name. Return: 0 or -errno. */
static int index_write(struct store *store, const struct store_entry *entry,
		       char temporary[TEMPORARY_NAME_MAX])
{
	cleanup_close int fd = store_temporary_new(store, temporary);
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
 * Let the key name the contents. @ret_old: the digest that it named before, if *ret_replaced.
 * Return: 0, STORE_E_OVER_LIMIT or -errno.
 */
static int key_set(struct store_put *put, int dir_fd, const char *temporary, bool *ret_replaced,
		   uint8_t *ret_old, struct error *error)
{
	struct store_run *run = put->run;
	struct store_limits limits = limits_now(run->store);
	char name[ARTIFACT_KEY_MAX + 1];
	struct key_entry *old;
	uint64_t old_size;
	int r = store_run_lock(run, error);

	if (r < 0)
		return r;
	index_name(name, put->key);
	old = key_list_find(&run->keys, put->key);
	old_size = old ? old->entry.size : 0;
	*ret_replaced = old != NULL;
	if (old)
		memcpy(ret_old, old->entry.digest, STORE_DIGEST_BYTES);
	if (run->bytes - old_size + put->entry.size > limits.bytes_per_run)
		r = over_bytes(error, limits.bytes_per_run);
	else if (!old && run->keys.n_items >= limits.count_per_run)
		r = over_count(error, limits.count_per_run);
	else if (renameat(run->store->tmp_fd, temporary, dir_fd, name) < 0)
		r = error_errno(error, errno, "cannot write the artifact index");
	else if (key_list_set(&run->keys, put->key, &put->entry) < 0) {
		/* the file is renamed, but memory is short: read the run's keys again later */
		key_list_clear(&run->keys);
		run->bytes = 0;
		run->loaded = false;
	} else {
		run->bytes += put->entry.size - old_size;
	}
	if (r == 0)
		account_keys(run, put->entry.size, old_size);
	store_run_unlock(run);
	return r;
}

/* @ret_named: the key names the new contents, although perhaps not durably. */
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
	/* the old contents stay until no power cut can bring the old index file back */
	if (fsync(dir_fd) < 0)
		return error_errno(error, errno, "cannot make the artifact durable");
	if (replaced)
		store_reference_release(store, old);
	return 0;
}

int store_put_commit(struct store_put *put, struct error *error)
{
	struct store *store = put->run->store;
	bool named = false;
	int r = put_flush(put, error);

	if (r != 0) {
		(void)store_put_abort(put);
		return r;
	}
	hasher_end(&put->hasher, put->entry.digest);
	put->entry.created_usec = wall_usec();
	(void)pthread_mutex_lock(&store->lock);
	r = references_add(&store->references, put->entry.digest);
	(void)pthread_mutex_unlock(&store->lock);
	if (r < 0) {
		(void)store_put_abort(put);
		return error_set(error, ENOMEM, "out of memory");
	}
	r = content_keep(put, error);
	if (r != 0)
		(void)unlinkat(store->tmp_fd, put->temporary, 0);
	else
		r = index_keep(put, &named, error);
	if (!named)
		store_reference_release(store, put->entry.digest);
	put_free(put);
	return r;
}
