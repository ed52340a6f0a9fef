/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FILE_PUT_H
#define CACHER_FILE_PUT_H

/* A file that another process has opened becomes an artifact. */

#include "cacher/store.h"

#include <stdatomic.h>

/** struct file_meta - what is kept with it */
struct file_meta {
	unsigned mode;
	struct timespec mtime;
};

/**
 * file_put() - store what @fd has now, under @key
 * @fd:        nothing of it is believed; not owned
 * @meta:      NULL: that of the file
 * @cancelled: set: stop as soon as possible
 *
 * Return: 0 when it is durable; an outcome of the store; -EINVAL for what is no file
 * that can be read; -ESTALE when it changed meanwhile; -ECANCELED; -errno; with @error.
 */
int file_put(struct store_run *run, const char *key, int fd, const struct file_meta *meta,
	     const atomic_bool *cancelled, struct error *error);

#endif
