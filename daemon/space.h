/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SPACE_H
#define DAEMON_SPACE_H

/*
 * DOC: Room on disk
 *
 * Below a floor of free space ([Limits] MinFree=) no step is admitted: a full
 * disk would make the ones that run fail for a reason that is not theirs. We
 * look now and then and tell the scheduler when it changes. Above that floor there is
 * another one ([Retention] KeepFree=): below it the scheduler is told each time how much
 * is missing, and removes the oldest of what may go.
 */

#include <stdint.h>

struct daemon;

/** space_watch() - look now, and every two seconds from now on */
void space_watch(struct daemon *daemon);
/** space_size() - bytes of the file system that @dir is on; 0 if that cannot be told */
uint64_t space_size(const char *dir);
/** space_send() - a new scheduler does not know yet how it is */
void space_send(struct daemon *daemon);

#endif
