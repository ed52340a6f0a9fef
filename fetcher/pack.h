/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_PACK_H
#define FETCHER_PACK_H

/* Packs of our own making: immutable files, named after what is in them. */

#include "fetcher/oid_set.h"

#include <git2.h>

#define PACK_NAME_LENGTH 45 /* "pack-" and 40 hex digits */

/**
 * pack_write() - a pack of the objects @ids in the directory @folder, on the disk
 * @ret_name: room for PACK_NAME_LENGTH + 1; "" when @n is 0 and so nothing was written
 *
 * Return: 0, or -errno; git_words() says more.
 */
int pack_write(git_repository *repository, const git_oid *ids, size_t n, const char *folder,
	       char *ret_name);
/** pack_remove() - the index first: a pack without one is no pack, the other way round is an error */
void pack_remove(int folder_fd, const char *name);
/** pack_link() - the same pack in another directory of the same file system. Return: 0 or -errno. */
int pack_link(int from_fd, int to_fd, const char *name);
/** pack_file_is() - is @file called like a pack or the index of one? @ret_name: its pack */
bool pack_file_is(const char *file, char *ret_name);

#endif
