/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_H
#define CACHER_STORE_H

/*
 * DOC: Where artifacts are kept
 *
 * Contents are stored once, under their digest, and never change; a run's keys
 * name them. store_put_commit() returns only when both are durable. All
 * functions may be called from several threads at once, but one struct
 * store_put belongs to one thread.
 *
 * This is the interface for several kinds of stores; store_local.c keeps
 * everything in a directory.
 */

#include "cacher/protocol.h"
#include "common/error.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define STORE_DIGEST_BYTES 32 /* BLAKE2b-256 */

struct store;
struct store_run;
struct store_put;

/** outcomes that a caller must tell apart; 0 is success, failures are -errno */
enum store_outcome {
	STORE_E_NO_KEY = 1,
	STORE_E_OVER_LIMIT = 2, /* the run's limit, or the host has no room left */
};

/** struct store_entry - what a key names */
struct store_entry {
	enum cacher_kind kind;
	uint64_t size; /* bytes; of a directory, of its archive */
	unsigned mode;
	struct timespec mtime;
	uint64_t created_usec;		    /* wall clock */
	uint8_t digest[STORE_DIGEST_BYTES]; /* of the content, as is @size */
	bool packed; /* set by store_get(): what is opened are frames (cacher/frames.h) */
};

/** struct store_limits - what may be kept */
struct store_limits {
	uint64_t bytes_per_run, count_per_run; /* of contents, as their sizes are shown */
	uint64_t bytes_per_project; /* the same, for projects that have none of their own */
	uint64_t bytes_stored;	    /* on the disk, of all projects */
};
#define STORE_LIMITS_DEFAULT                                                                       \
	((struct store_limits){ARTIFACT_BYTES_PER_RUN, ARTIFACT_COUNT_PER_RUN, UINT64_MAX,         \
			       UINT64_MAX})

/**
 * store_open() - open the store in @path, and remove what a crash left behind
 *
 * Return: 0 or -errno with @error set.
 */
int store_open(const char *path, struct store **ret_store, struct error *error);
struct store *store_close(struct store *store);

/** store_set_limits() - for puts from now on; projects have none of their own then */
void store_set_limits(struct store *store, const struct store_limits *limits);
/** store_limit_project() - until the next store_set_limits(). Return: 0 or -ENOMEM. */
int store_limit_project(struct store *store, const char *project, uint64_t bytes);

/**
 * store_run_open() - the keys of one run
 * @project, @run: valid names, checked by the caller
 * @ret_run: counted reference; give back with store_run_close()
 *
 * Return: 0 or -errno.
 */
int store_run_open(struct store *store, const char *project, uint64_t run,
		   struct store_run **ret_run);
struct store_run *store_run_close(struct store_run *run);

/**
 * store_put_begin() - start to store something
 * @kind, @mode, @mtime: kept with it
 * @expected: bytes that are known to come, 0 when unknown; too many are refused at once
 * @ret_put:  to be ended by store_put_commit() or store_put_abort()
 *
 * Return: 0, STORE_E_OVER_LIMIT, or -errno with @error set.
 */
int store_put_begin(struct store_run *run, const char *key, enum cacher_kind kind, unsigned mode,
		    struct timespec mtime, uint64_t expected, struct store_put **ret_put,
		    struct error *error);
/** store_put_worth() - before anything is written: whether packing saves something is known */
void store_put_worth(struct store_put *put, bool worth);
/** store_put_zeroes() - append @size of them, which stay a hole. Return: as store_put_begin(). */
int store_put_zeroes(struct store_put *put, uint64_t size, struct error *error);
/** store_put_write() - append @data. Return: as store_put_begin(). */
int store_put_write(struct store_put *put, const void *data, size_t size, struct error *error);
/**
 * store_put_commit() - make it durable and let @key name it; frees @put
 *
 * The last commit of a key wins. Return: as store_put_begin().
 */
int store_put_commit(struct store_put *put, struct error *error);
/** store_put_abort() - forget it; NULL is allowed. Return: NULL. */
struct store_put *store_put_abort(struct store_put *put);

/**
 * store_get() - open what @key names, for reading
 *
 * Return: descriptor (the caller closes it) in @ret_fd and 0, STORE_E_NO_KEY, or
 * -errno with @error set.
 */
int store_get(struct store_run *run, const char *key, int *ret_fd, struct store_entry *ret_entry,
	      struct error *error);

/** store_delete() - forget @key. Return: 0 when that is durable, STORE_E_NO_KEY, or -errno. */
int store_delete(struct store_run *run, const char *key, struct error *error);

typedef int (*store_list_fn)(void *userdata, const char *key, const struct store_entry *entry);

/**
 * store_list() - call @callback for each key, in the order of their bytes
 *
 * Return: 0, or the first negative value of @callback, which ends the listing.
 */
int store_list(struct store_run *run, store_list_fn callback, void *userdata);

/** store_stored() - bytes that all contents take on the disk, with those that are being written */
uint64_t store_stored(struct store *store);

/** store_run_bytes() - of all keys of a run, which need not have any. Return: 0 or -errno. */
int store_run_bytes(struct store *store, const char *project, uint64_t run, uint64_t *ret_bytes);
/**
 * store_run_remove() - forget up to @most keys of a run, and contents that no other key names
 *
 * Return: 1 when the run has none any more, 0 when there is more to do, or -errno.
 */
int store_run_remove(struct store *store, const char *project, uint64_t run, unsigned most);

/** store_usage() - bytes and keys of @run now */
void store_usage(struct store_run *run, uint64_t *ret_bytes, uint64_t *ret_count);

#endif
