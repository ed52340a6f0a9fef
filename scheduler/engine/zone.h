/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ZONE_H
#define SCHEDULER_ZONE_H

/*
 * DOC: Time zones
 *
 * The C library knows all zones and their history, but one at a time: $TZ and
 * tzset(). The scheduler has one thread, so it may switch; zone_enter() and
 * zone_leave() bracket that, and nothing else in this program asks for local
 * time. Which zones the host has is common/zones.h's business.
 */

#include "common/zones.h"

#include <stdint.h>

/** zone_enter() - zone_offset() is about @name, which zone_known() knows, from here on */
void zone_enter(const char *name);
/** zone_offset() - seconds that local time is ahead of UTC at @at (seconds since the epoch) */
int64_t zone_offset(int64_t at);
/** zone_leave() - back to what it was before zone_enter() */
void zone_leave(void);

#endif
