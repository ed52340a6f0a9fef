/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_PACK_H
#define FETCHER_PACK_H

/*
 * DOC: Pack files
 *
 * Packs that the fetcher writes: immutable files, each named after its contents, with an index
 * beside it. git reads a pack only through its index, so the order in which the two files come
 * and go decides whether a reader ever sees half a pack.
 */

#include "fetcher/oid_set.h"

#include <git2.h>

#define PACK_NAME_LENGTH 45 /* "pack-" and 40 hex digits */

/**
 * pack_write() - write the objects @ids as one pack into @folder, and sync it
 * @folder:   absolute path of a directory
 * @ret_name: room for PACK_NAME_LENGTH + 1; "" when @n is 0, for which no pack is written
 *
 * Return: 0, or -errno; git_words() has the reason.
 */
int pack_write(git_repository *repository, const git_oid *ids, size_t n, const char *folder,
	       char *ret_name);
/** pack_remove() - remove the index, then the pack: git ignores a pack that has no index */
void pack_remove(int folder_fd, const char *name);
/** pack_link() - hard-link a pack into a directory of the same file system. Return: 0 or -errno. */
int pack_link(int from_fd, int to_fd, const char *name);
/** pack_file_is() - is @file the name of a pack or of an index? @ret_name: the name of its pack */
bool pack_file_is(const char *file, char *ret_name);

#endif
