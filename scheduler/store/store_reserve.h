/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_RESERVE_H
#define SCHEDULER_STORE_RESERVE_H

/*
 * DOC: Room for what must be written on a full disk
 *
 * To delete something is a commit, and a commit goes into the write-ahead log first.
 * So the log has blocks behind its end that no other file can get, while the database
 * is open and afterwards. SQLite cuts the log when it closes the database, which gives
 * them up: they are taken again at once, and if there is little room, the log is not
 * emptied at all. (A file that is removed when room is needed would not do: on ext4
 * root may fill what is kept for root, and what the file had is kept for root then.)
 *
 * The shared-memory index of the log needs blocks at each start. Without them the
 * database is opened for this process alone, with the index in memory.
 *
 * All of it is best effort: a file system that cannot set blocks aside is used as it is.
 */

#include <stdbool.h>

/** store_reserve_log() - set blocks aside for the log of the database at @path, where there is one */
void store_reserve_log(const char *path);
/** store_reserve_pages() - with how many pages the log is to be emptied, to stay within that */
unsigned store_reserve_pages(const char *path);
/** store_reserve_scarce() - is there so little room that the log had better keep what it has? */
bool store_reserve_scarce(const char *path);

#endif
