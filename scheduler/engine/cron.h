/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CRON_H
#define SCHEDULER_CRON_H

/*
 * DOC: When a schedule is next due
 *
 * Local time is treated as a sequence of segments, each with one offset, divided by clock changes.
 * Within a segment the next time is arithmetic on sets of bits. At a change, a schedule with
 * certain hours follows the time that a clock shows:
 *
 *   clocks go forward   a time that is skipped is due at the moment of the change
 *   clocks go back      a time that comes twice is due the first time only
 *
 * A schedule for every hour ("30 * * * *") follows the time that passes: skipped times are not
 * made up for, and both hours that a clock shows twice have their times.
 */

#include "common/cron.h"

#include <stdint.h>

/**
 * cron_next() - the first time after @after at which @cron is due
 * @zone:  a name that zone_known() accepts; "" is UTC
 * @after: seconds since the epoch, not negative
 *
 * Return: seconds since the epoch, or 0: never (within four decades).
 */
int64_t cron_next(const struct cron *cron, const char *zone, int64_t after);

#endif
