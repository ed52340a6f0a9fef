/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_LOCAL_H
#define CACHER_STORE_LOCAL_H

/*
 * DOC: Internals of the store in a directory
 *
 * Shared by store_local.c (which explains the directory and the locks), store_local_put.c,
 * store_remove.c and store_account.c; other files include store.h.
 */

#include "cacher/store_index.h"
#include "common/limits.h"

#include <pthread.h>
#include <stdatomic.h>

#define TEMPORARY_NAME_MAX 24
#define BLOB_NAME_MAX (2 * STORE_DIGEST_BYTES + 2)

/** struct store_project - how much the keys of all its runs name; guarded by store->lock */
struct store_project {
	struct store_project *next;
	char name[PROJECT_NAME_MAX + 1];
	uint64_t bytes, reserved;
	uint64_t limit; /* 0: limits.bytes_per_project */
};

struct store {
	int blobs_fd, packed_fd, runs_fd, tmp_fd;
	pthread_mutex_t lock;
	struct references references;
	struct store_run *runs; /* the open ones */
	struct store_project *projects;
	struct store_limits limits;
	uint64_t stored; /* bytes on the disk, with those that are being written */
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
	uint64_t reserved; /* by puts that are not committed yet */
};

/* ---- sums and limits: store_account.c; each function takes store->lock ---- */

/** account_project() - find a project, or add it. Return: NULL without memory. */
struct store_project *account_project(struct store *store, const char *name);
/**
 * account_reserve() - reserve @more bytes of the project of @run, whose put will replace @less
 *
 * Return: 0, or STORE_E_OVER_LIMIT with @error set and no bytes reserved.
 */
int account_reserve(struct store_run *run, uint64_t more, uint64_t less, struct error *error);
/** account_release() - give back bytes of account_reserve() */
void account_release(struct store_run *run, uint64_t bytes);
/** account_keys() - add @more bytes to the keys of @run's project, and subtract @less */
void account_keys(struct store_run *run, uint64_t more, uint64_t less);
/** account_disk() - add @more bytes of disk. Return: 0, or STORE_E_OVER_LIMIT with @error set. */
int account_disk(struct store *store, uint64_t more, struct error *error);
/** account_gone() - subtract @bytes that were freed on the disk */
void account_gone(struct store *store, uint64_t bytes);
/** account_size() - bytes that the file @fd takes on the disk */
uint64_t account_size(int fd);

/** store_blob_name() - the path of a content, relative to blobs/ or packed/ */
void store_blob_name(char name[BLOB_NAME_MAX], const uint8_t *digest);
/** store_temporary_new() - create a file in tmp/ and return its @name. Return: fd or -errno. */
int store_temporary_new(struct store *store, char name[TEMPORARY_NAME_MAX]);
/** store_sync_directory() - make renames into the directory durable. Return: 0 or -errno. */
int store_sync_directory(int dir_fd, const char *path);
/** store_reference_release() - drop one reference to a content, and remove it with the last one */
void store_reference_release(struct store *store, const uint8_t *digest);
/** store_run_lock() - lock a run, with its keys in memory. Return: 0, or -errno (not locked). */
int store_run_lock(struct store_run *run, struct error *error);
/** store_run_unlock() - the reverse */
void store_run_unlock(struct store_run *run);

#endif
