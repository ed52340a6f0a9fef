/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CRON_H
#define SCHEDULER_CRON_H

/*
 * DOC: When a schedule is next due
 *
 * Local time is a walk of segments with one offset each, divided by clock
 * changes. Within a segment the next time is arithmetic on sets of bits. At a
 * change, a schedule with certain hours is about the time that a clock shows:
 *
 *   clocks go forward   a time that is left out is due at the moment of the change
 *   clocks go back      a time that comes twice is due the first time only
 *
 * A schedule of every hour ("30 * * * *") is about the time that passes: nothing
 * is made up for, and both hours that a clock shows twice have their times.
 */

#include "common/cron.h"

#include <stdint.h>

/**
 * cron_next() - the first time after @after at which @cron is due
 * @zone:  that zone_known() knows; "" is UTC
 * @after: seconds since the epoch, not negative
 *
 * Return: seconds since the epoch, or 0: never (within four decades).
 */
int64_t cron_next(const struct cron *cron, const char *zone, int64_t after);

#endif
