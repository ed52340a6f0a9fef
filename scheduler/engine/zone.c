/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_utc(const char *name)
{
	return !*name || strcmp(name, "UTC") == 0;
}

/* what zone_leave() restores; "" where $TZ was not set */
static char *outside;
static bool fixed; /* UTC: nothing was switched */

void zone_enter(const char *name)
{
	const char *before = getenv("TZ");

	fixed = is_utc(name);
	if (fixed)
		return;
	outside = before ? strdup(before) : NULL;
	(void)setenv("TZ", name, 1);
	tzset();
}

int64_t zone_offset(int64_t at)
{
	time_t seconds = (time_t)at;
	struct tm local;

	if (fixed || !localtime_r(&seconds, &local))
		return 0;
	return local.tm_gmtoff;
}

void zone_leave(void)
{
	if (fixed)
		return;
	if (outside)
		(void)setenv("TZ", outside, 1);
	else
		(void)unsetenv("TZ");
	tzset();
	free(outside);
	outside = NULL;
}
