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

/** struct store_project - what the keys of all its runs name */
struct store_project {
	struct store_project *next;
	char name[PROJECT_NAME_MAX + 1];
	uint64_t bytes, reserved;
	uint64_t limit; /* 0: that of all */
};

struct store {
	int blobs_fd, packed_fd, runs_fd, tmp_fd;
	pthread_mutex_t lock;
	struct references references;
	struct store_run *runs; /* those in use */
	struct store_project *projects;
	struct store_limits limits;
	uint64_t stored; /* on the disk, and on the way there */
	atomic_uint_fast64_t next_temporary;
};

struct store_run {
	struct store *store;
	struct store_run *next;
	struct store_project *project;
	unsigned users; /* guarded by store->lock */
	char name[PROJECT_NAME_MAX + 24];
	pthread_mutex_t lock;
	bool loaded;
	struct key_list keys;
	uint64_t bytes;	   /* of all keys */
	uint64_t reserved; /* of puts under way */
};

/* ---- what there is of everything: store_account.c; each locks the store ---- */

/** account_project() - made when it is not known. Return: NULL without memory. */
struct store_project *account_project(struct store *store, const char *name);
/**
 * account_reserve() - @more bytes of @run's project are on their way; @less will be replaced
 *
 * Return: 0, or STORE_E_OVER_LIMIT with @error: nothing is reserved then.
 */
int account_reserve(struct store_run *run, uint64_t more, uint64_t less, struct error *error);
/** account_release() - of account_reserve() */
void account_release(struct store_run *run, uint64_t bytes);
/** account_keys() - the keys of @run name more, and less, than before */
void account_keys(struct store_run *run, uint64_t more, uint64_t less);
/** account_disk() - @more bytes on the disk. Return: 0, or STORE_E_OVER_LIMIT with @error. */
int account_disk(struct store *store, uint64_t more, struct error *error);
/** account_gone() - @bytes are there no more */
void account_gone(struct store *store, uint64_t bytes);
/** account_size() - what the file @fd takes on the disk */
uint64_t account_size(int fd);

/** store_blob_name() - path of a content beneath blobs/ or packed/ */
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
