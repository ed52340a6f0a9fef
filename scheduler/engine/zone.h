/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ZONE_H
#define SCHEDULER_ZONE_H

/*
 * DOC: Time zones
 *
 * The C library knows all zones and their history, but only one at a time: $TZ and tzset(). The
 * scheduler has one thread, so it may switch. zone_enter() and zone_leave() enclose each use, and
 * nothing else in this program uses local time. common/zones.h knows which zones the host has.
 */

#include "common/zones.h"

#include <stdint.h>

/** zone_enter() - from here on zone_offset() is about @name, which zone_known() accepts */
void zone_enter(const char *name);
/** zone_offset() - seconds that local time is ahead of UTC at @at (seconds since the epoch) */
int64_t zone_offset(int64_t at);
/** zone_leave() - back to the zone before zone_enter() */
void zone_leave(void);

#endif
