/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/store/store_reserve.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOG_MAX (24 * MIB)
#define LOG_MIN (512 * KIB)
#define PART 64	       /* at most this part of a small file system */
#define SCARCE 2       /* times the reserve */
#define PAGE 4096      /* of SQLite; a little more in the log, with its header */
#define PAGES_MAX 4000 /* in the log before it is checkpointed */

static uint64_t reserve_size(const struct statvfs *st)
{
	uint64_t part = (uint64_t)st->f_blocks * st->f_frsize / PART;

	if (part < LOG_MIN)
		return LOG_MIN;
	return part < LOG_MAX ? part : LOG_MAX;
}

unsigned store_reserve_pages(const char *path)
{
	struct statvfs st;
	uint64_t pages = PAGES_MAX;

	/* a third is left for commits while the log cannot be checkpointed */
	if (statvfs(path, &st) == 0)
		pages = reserve_size(&st) * 2 / 3 / PAGE;
	return pages < PAGES_MAX ? (unsigned)pages : PAGES_MAX;
}

/*
 * Only the log may be opened here: closing a descriptor of the database would drop SQLite's locks
 * on it.
 */
void store_reserve_log(const char *path)
{
	char file[PATH_MAX];
	cleanup_close int fd = -1;
	struct statvfs st;

	if (snprintf(file, sizeof(file), "%s-wal", path) >= (int)sizeof(file))
		return;
	fd = open(file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatvfs(fd, &st) < 0)
		return;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)reserve_size(&st)) < 0 &&
	    errno != EOPNOTSUPP && errno != ENOSYS)
		log_notice("cannot reserve space for %s: %s", file, strerror(errno));
}

bool store_reserve_scarce(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) == 0 &&
	       (uint64_t)st.f_bavail * st.f_frsize < SCARCE * reserve_size(&st);
}
