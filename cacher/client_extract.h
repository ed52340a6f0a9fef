/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_EXTRACT_H
#define CACHER_CLIENT_EXTRACT_H

/* Putting what was fetched where it belongs: whole, or not at all. */

#include "cacher/protocol.h"
#include "common/error.h"

/**
 * client_place_file() - copy the artifact in @fd to @destination
 * @head: its size, mode and modification time
 *
 * Written under a temporary name beside @destination and renamed over it; a
 * symbolic link there is replaced, not followed.
 */
int client_place_file(int fd, const struct cacher_answer *head, const char *destination,
		      struct error *error);

/**
 * client_place_directory() - unpack the archive in @fd as @destination
 *
 * Unpacked beside it and renamed; into a directory that exists already, entry
 * by entry: directories are merged, files replaced.
 */
int client_place_directory(int fd, const char *destination, struct error *error);

#endif
