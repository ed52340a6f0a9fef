/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_EXTRACT_H
#define CACHER_CLIENT_EXTRACT_H

/*
 * DOC: Writing an artifact to its destination
 *
 * The last part of "cacher get", within the step. An artifact is written under a temporary name
 * beside its destination and renamed, so a step that is killed leaves the old file or the new one,
 * and no reader sees a part of either. Only the merge into an existing directory is not atomic.
 */

#include "cacher/protocol.h"
#include "common/error.h"

/**
 * client_place_file() - copy the artifact in @fd to @destination
 * @fd:   a file, or a pipe out of which the service feeds it
 * @head: the service's reply, with size, mode and modification time
 *
 * A symbolic link at @destination is replaced, not followed.
 *
 * Return: 0, or -errno with @error set.
 */
int client_place_file(int fd, const struct cacher_answer *head, const char *destination,
		      struct error *error);

/**
 * client_place_directory() - unpack the archive in @fd as @destination
 *
 * An existing directory is merged with the archive, entry by entry: directories are merged, files
 * replaced, others stay.
 *
 * Return: 0, or -errno with @error set.
 */
int client_place_directory(int fd, const char *destination, struct error *error);

#endif
