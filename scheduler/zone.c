/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/zone.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/"

static bool is_utc(const char *name)
{
	return !*name || strcmp(name, "UTC") == 0;
}

bool zone_known(const char *name)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX], magic[4];
	struct stat status;

	if (is_utc(name))
		return true;
	/* a runbook says it: it must stay a name beneath the directory */
	if (*name == '/' || name[strspn(name, LETTERS)] ||
	    snprintf(path, sizeof(path), ZONE_DIRECTORY "/%s", name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       fd_read_all(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* What zone_leave() brings back; "" where $TZ was not set. */
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
