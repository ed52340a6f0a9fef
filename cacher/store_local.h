/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_LOCAL_H
#define CACHER_STORE_LOCAL_H

/* What store_local.c and store_local_put.c share; nobody else includes it. */

#include "cacher/store_index.h"
#include "common/limits.h"

#include <pthread.h>
#include <stdatomic.h>

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

/** store_blob_name() - path of a content beneath blobs/ */
void store_blob_name(char name[BLOB_NAME_MAX], const uint8_t *digest);
/** store_temporary_new() - a new file beneath tmp/; @name is filled. Return: fd or -errno. */
int store_temporary_new(struct store *store, char name[TEMPORARY_NAME_MAX]);
/** store_sync_directory() - make renames within it durable. Return: 0 or -errno. */
int store_sync_directory(int dir_fd, const char *path);
/** store_reference_release() - one name less for a content; with the last one it goes */
void store_reference_release(struct store *store, const uint8_t *digest);
/** store_run_lock() - lock a run with its keys in memory. Return: 0, or -errno (not locked). */
int store_run_lock(struct store_run *run, struct error *error);
void store_run_unlock(struct store_run *run);

#endif
