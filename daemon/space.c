/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/space.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/messages/host.h"
#include "daemon/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SPACE_LOOK_USEC (2 * USEC_PER_SEC)
/* the default floor: a twentieth of the file system, but no more than this */
#define SPACE_FLOOR_DEFAULT (128 * MIB)
/* the space that retention keeps free by default: a tenth, but no more than this */
#define SPACE_KEEP_DEFAULT (2 * GIB)

static uint64_t space_floor(const struct config *config, const struct statvfs *st)
{
	uint64_t part = (uint64_t)st->f_blocks * st->f_frsize / 20;

	if (config->min_free != CONFIG_MIN_FREE_DEFAULT)
		return config->min_free;
	return part < SPACE_FLOOR_DEFAULT ? part : SPACE_FLOOR_DEFAULT;
}

/* Return: whether less than the floor is free in @dir; @out is a sentence about it then. */
static bool dir_is_full(const struct config *config, const char *dir, char *out, size_t size)
{
	struct statvfs st;
	uint64_t least;

	if (statvfs(dir, &st) < 0)
		return false;
	least = space_floor(config, &st);
	/* f_bavail: space that users other than root may still use */
	if ((uint64_t)st.f_bavail * st.f_frsize >= least)
		return false;
	(void)snprintf(out, size,
		       "less than %" PRIu64 "M is free in %.200s: free some, or see MinFree= in "
		       "runbookd.conf(5)",
		       (uint64_t)((least + MIB - 1) / MIB), dir);
	return true;
}

void space_send(struct daemon *daemon)
{
	/* on failure there is no scheduler; a new one gets this with its configuration */
	(void)channel_send(link_to(daemon, CHILD_SCHEDULER),
			   MESSAGE_NEW(host_space, 0, .reason = daemon->space_text));
}

static uint64_t keep_free(const struct config *config, uint64_t size)
{
	if (config->keep_free == CONFIG_NO_LIMIT)
		return 0;
	if (config->keep_free)
		return config->keep_free;
	return size / 10 < SPACE_KEEP_DEFAULT ? size / 10 : SPACE_KEEP_DEFAULT;
}

uint64_t space_size(const char *dir)
{
	struct statvfs st;

	return statvfs(dir, &st) < 0 ? 0 : (uint64_t)st.f_blocks * st.f_frsize;
}

/* Bytes that have to be freed in @dir until KeepFree= is reached; 0: none. */
static uint64_t dir_is_short(const struct config *config, const char *dir)
{
	struct statvfs st;
	uint64_t wanted, free;

	if (statvfs(dir, &st) < 0)
		return 0;
	wanted = keep_free(config, (uint64_t)st.f_blocks * st.f_frsize);
	free = (uint64_t)st.f_bavail * st.f_frsize;
	return free < wanted ? wanted - free : 0;
}

static bool one_file_system(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev;
}

/* Sent each time while space is missing: what retention removed since may not suffice. */
static void short_look(struct daemon *daemon)
{
	uint64_t log = dir_is_short(daemon->config, daemon->paths.log);
	uint64_t lib = dir_is_short(daemon->config, daemon->paths.lib);
	bool one = one_file_system(daemon->paths.log, daemon->paths.lib);

	if (!log && !lib && !daemon->space_short)
		return;
	daemon->space_short = log || lib;
	(void)channel_send(link_to(daemon, CHILD_SCHEDULER),
			   MESSAGE_NEW(host_short, 0, .logs = log, .state = lib, .one = one));
}

static void space_look(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, space_timer);
	const char *dirs[] = {daemon->paths.lib, daemon->paths.log, daemon->images_dir};
	char text[sizeof(daemon->space_text)] = "";

	(void)loop_timer_set(daemon->loop, timer, now_usec() + SPACE_LOOK_USEC, space_look);
	short_look(daemon);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !text[0]; i++)
		(void)dir_is_full(daemon->config, dirs[i], text, sizeof(text));
	if (strcmp(text, daemon->space_text) == 0)
		return;
	if (text[0])
		log_warning("no step is started: %s", text);
	else
		log_notice("there is room on disk again: steps are started");
	memcpy(daemon->space_text, text, sizeof(text));
	space_send(daemon);
}

void space_watch(struct daemon *daemon)
{
	space_look(&daemon->space_timer);
}
