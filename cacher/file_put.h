/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FILE_PUT_H
#define CACHER_FILE_PUT_H

/*
 * DOC: Storing a file by its descriptor
 *
 * A step or the api opens a file and passes the descriptor; the service copies the file into the
 * store. The process that opened it may be hostile: it may change the file meanwhile, or pass a
 * descriptor that blocks or has no end. So only regular files on disk or in memory are accepted,
 * and a file that changes during the copy is refused.
 */

#include "cacher/store.h"

#include <stdatomic.h>

/** struct file_meta - attributes that are stored with the contents */
struct file_meta {
	unsigned mode;
	struct timespec mtime;
};

/**
 * file_put() - store the contents of @fd under @key
 * @fd:        not trusted, not owned
 * @meta:      NULL: the file's own mode and time
 * @cancelled: set by another thread: stop as soon as possible
 *
 * Return: 0 when the artifact is durable. Otherwise @error is set: an enum store_outcome; -EINVAL
 * for a descriptor that is not a readable file of a disk or memory; -ESTALE when the file
 * changed meanwhile; -ECANCELED; another -errno.
 */
int file_put(struct store_run *run, const char *key, int fd, const struct file_meta *meta,
	     const atomic_bool *cancelled, struct error *error);

#endif
