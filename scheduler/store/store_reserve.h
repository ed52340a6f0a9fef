/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_RESERVE_H
#define SCHEDULER_STORE_RESERVE_H

/*
 * DOC: Reserved space for writes on a full disk
 *
 * Deleting something is a commit, and a commit goes into the write-ahead log first. So blocks
 * beyond the end of the log are allocated that no other file can get, while the database is open
 * and afterwards. When SQLite closes the database it truncates the log, which frees them: they are
 * allocated again at once, and if there is little space, the log is not checkpointed at all. (A
 * file to delete when space is needed would not do: on ext4 root may use the reserved blocks, and
 * the freed blocks would only refill them.)
 *
 * The shared-memory index of the log needs blocks at each start. Without them the database is
 * opened for this process alone, with the index in memory.
 *
 * All of this is best effort: on a file system without fallocate(2) nothing is reserved.
 */

#include <stdbool.h>

/** store_reserve_log() - allocate blocks for the log of the database at @path */
void store_reserve_log(const char *path);
/**
 * store_reserve_pages() - after how many pages SQLite checkpoints the log, to stay within the
 * reserve
 */
unsigned store_reserve_pages(const char *path);
/** store_reserve_scarce() - whether so little space is left that the log should keep its blocks */
bool store_reserve_scarce(const char *path);

#endif
