/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SPACE_H
#define DAEMON_SPACE_H

/*
 * DOC: Free space on disk
 *
 * runbookd reads the free space of its file systems every two seconds. Below a first floor
 * ([Limits] MinFree=) no step is started, because a full disk would make running steps fail
 * for a reason that is not theirs; the scheduler gets HOST_SPACE when that changes. Below a
 * second, higher floor ([Retention] KeepFree=) the scheduler gets HOST_SHORT each time, with
 * the bytes that are missing, and its retention removes the oldest runs.
 */

#include <stdint.h>

struct daemon;

/** space_watch() - determine the free space now, and every two seconds from now on */
void space_watch(struct daemon *daemon);
/** space_size() - bytes of the file system that @dir is on; 0 if that is not known */
uint64_t space_size(const char *dir);
/** space_send() - send HOST_SPACE; a failure is fine: a new scheduler gets it, too */
void space_send(struct daemon *daemon);

#endif
