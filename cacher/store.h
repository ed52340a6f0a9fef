/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_H
#define CACHER_STORE_H

/*
 * DOC: The store of artifacts
 *
 * Contents are stored once, under their digest, and never change; each key of a run names the
 * digest of its contents. store_put_commit() returns only when key and contents are durable. All
 * functions may be called from several threads at once, but a struct store_put belongs to one.
 *
 * This is the interface for several kinds of stores; store_local.c keeps all of it in a directory.
 */

#include "cacher/protocol.h"
#include "common/digest.h"
#include "common/error.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * Of SHA-256. Versions before stored BLAKE2b-256: a digest is only a name here, so what they
 * stored is found, shared and removed as ever.
 */
#define STORE_DIGEST_BYTES DIGEST_BYTES

struct store;
struct store_run;
struct store_put;

/** enum store_outcome - results that a caller handles; 0 is success, failures are -errno */
enum store_outcome {
	STORE_E_NO_KEY = 1,
	STORE_E_OVER_LIMIT = 2, /* over a limit, or the host has no space left */
};

/** struct store_entry - the attributes and the digest that a key stands for */
struct store_entry {
	enum cacher_kind kind;
	uint64_t size; /* bytes of the contents; of a directory, of its archive */
	unsigned mode;
	struct timespec mtime;
	uint64_t created_usec;		    /* wall clock */
	uint8_t digest[STORE_DIGEST_BYTES]; /* of the contents */
	bool packed; /* set by store_get(): the opened file has frames (cacher/frames.h) */
};

/** struct store_limits - how much may be stored */
struct store_limits {
	uint64_t bytes_per_run, count_per_run; /* of all keys, by the size of their contents */
	uint64_t bytes_per_project; /* likewise, for projects without a limit of their own */
	uint64_t bytes_stored;	    /* disk space of all projects */
};
#define STORE_LIMITS_DEFAULT                                                                       \
	((struct store_limits){ARTIFACT_BYTES_PER_RUN, ARTIFACT_COUNT_PER_RUN, UINT64_MAX,         \
			       UINT64_MAX})

/**
 * store_open() - open the store in @path; remove files of a crash that no key names
 *
 * Return: 0 or -errno with @error set.
 */
int store_open(const char *path, struct store **ret_store, struct error *error);
/** store_close() - free @store, all of whose runs are closed; NULL is allowed. Return: NULL. */
struct store *store_close(struct store *store);

/** store_set_limits() - set the limits of later puts, and forget limits of single projects */
void store_set_limits(struct store *store, const struct store_limits *limits);
/** store_limit_project() - set a limit until the next store_set_limits(). Return: 0 or -ENOMEM. */
int store_limit_project(struct store *store, const char *project, uint64_t bytes);

/**
 * store_run_open() - open the keys of one run
 * @project: a valid name, checked by the caller
 * @ret_run: counted reference; released with store_run_close()
 *
 * Return: 0 or -errno.
 */
int store_run_open(struct store *store, const char *project, uint64_t run,
		   struct store_run **ret_run);
/** store_run_close() - release a reference; NULL is allowed. Return: NULL. */
struct store_run *store_run_close(struct store_run *run);

/**
 * store_put_begin() - start to store an artifact
 * @kind, @mode, @mtime: stored with it
 * @expected: bytes of the contents; too many are refused at once. 0: not known
 * @ret_put:  freed by store_put_commit() or store_put_abort()
 *
 * Return: 0, STORE_E_OVER_LIMIT, or -errno with @error set.
 */
int store_put_begin(struct store_run *run, const char *key, enum cacher_kind kind, unsigned mode,
		    struct timespec mtime, uint64_t expected, struct store_put **ret_put,
		    struct error *error);
/** store_put_worth() - decide whether to pack, before any contents are written */
void store_put_worth(struct store_put *put, bool worth);
/** store_put_zeroes() - append a hole of @size bytes. Return: as store_put_begin(). */
int store_put_zeroes(struct store_put *put, uint64_t size, struct error *error);
/**
 * store_put_room() - where the next contents are to be written, valid until the next call
 *
 * Return: room for @ret_size bytes, which is at least 1.
 */
void *store_put_room(struct store_put *put, size_t *ret_size);
/** store_put_filled() - append @size bytes of store_put_room(). Return: as store_put_begin(). */
int store_put_filled(struct store_put *put, size_t size, struct error *error);
/**
 * store_put_commit() - make the artifact durable and let its key name it; frees @put
 *
 * The last commit of a key wins. Return: as store_put_begin().
 */
int store_put_commit(struct store_put *put, struct error *error);
/** store_put_abort() - discard an artifact and free @put; NULL is allowed. Return: NULL. */
struct store_put *store_put_abort(struct store_put *put);

/**
 * store_get() - open the contents of @key for reading
 * @ret_fd:    owned by the caller
 * @ret_entry: its .packed tells how to read the file
 *
 * Return: 0, STORE_E_NO_KEY, or -errno; with @error set unless 0.
 */
int store_get(struct store_run *run, const char *key, int *ret_fd, struct store_entry *ret_entry,
	      struct error *error);

/** store_delete() - remove @key. Return: 0 when that is durable, STORE_E_NO_KEY, or -errno. */
int store_delete(struct store_run *run, const char *key, struct error *error);

typedef int (*store_list_fn)(void *userdata, const char *key, const struct store_entry *entry);

/**
 * store_list() - call @callback for each key, in the byte order of the keys
 *
 * Return: 0, or the first negative value of @callback, which ends the listing.
 */
int store_list(struct store_run *run, store_list_fn callback, void *userdata);

/** store_stored() - bytes of disk space of all contents, with those that are being written */
uint64_t store_stored(struct store *store);

/** store_run_bytes() - bytes of all keys of a run; 0 when it has none. Return: 0 or -errno. */
int store_run_bytes(struct store *store, const char *project, uint64_t run, uint64_t *ret_bytes);
/**
 * store_run_remove() - remove up to @most keys of a run, and contents that no other key names
 *
 * Return: 1 when the run has no keys left, 0 when there are more, or -errno.
 */
int store_run_remove(struct store *store, const char *project, uint64_t run, unsigned most);

/** store_usage() - bytes and number of the keys of @run now */
void store_usage(struct store_run *run, uint64_t *ret_bytes, uint64_t *ret_count);

#endif
