/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/log_remove.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/list.h"
#include "common/log.h"
#include "common/messages/host.h"
#include "daemon/daemon.h"
#include "daemon/step_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMOVALS_MAX 1024  /* that may wait; the scheduler requests far fewer at a time */
#define FILES_PER_TURN 128 /* some milliseconds on a slow disk */

struct removal {
	struct list_node node;
	char project[PROJECT_NAME_MAX + 1];
	uint64_t run;
};

struct log_remover {
	struct daemon *daemon;
	struct list removals; /* the oldest first */
	unsigned n;
	struct loop_timer timer;
};

/* Return: files removed, or -errno. Directories stay, because runbookd makes none here. */
static int files_remove(int dir_fd, unsigned most)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	unsigned n = 0;
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = -errno;

		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (n < most && (errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dir_fd, entry->d_name, 0) == 0)
			n++;
		else if (errno != ENOENT && errno != EISDIR && errno != EPERM)
			return -errno;
	}
	return errno && n == 0 ? -errno : (int)n;
}

int log_remove_some(int log_fd, const char *project, uint64_t run, unsigned most)
{
	cleanup_close int project_fd = open_beneath(log_fd, project, O_RDONLY | O_DIRECTORY, 0);
	cleanup_close int run_fd = -1;
	char name[24];
	int r;

	if (project_fd < 0)
		return project_fd == -ENOENT ? 1 : project_fd;
	(void)snprintf(name, sizeof(name), "%" PRIu64, run);
	run_fd = open_beneath(project_fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (run_fd < 0)
		return run_fd == -ENOENT ? 1 : run_fd;
	r = files_remove(run_fd, most);
	if (r < 0 || r == (int)most)
		return r < 0 ? r : 0;
	return unlinkat(project_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 1 : -errno;
}

static bool run_known(const struct step_table *table, const struct removal *removal)
{
	const struct step *step;

	list_each (step, &table->steps, node) {
		if (step->order.run == removal->run &&
		    strcmp(step->order.project, removal->project) == 0)
			return true;
	}
	return false;
}

static int removal_continue(const struct log_remover *remover, const struct removal *removal)
{
	cleanup_close int log_fd = -1;

	if (run_known(remover->daemon->steps, removal))
		return -EBUSY;
	log_fd = open(remover->daemon->paths.log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log_fd < 0)
		return errno == ENOENT ? 1 : -errno;
	return log_remove_some(log_fd, removal->project, removal->run, FILES_PER_TURN);
}

static void removal_answer(struct log_remover *remover, const struct removal *removal, int r)
{
	if (r < 0)
		log_warning("cannot remove the logs of run %" PRIu64 " in %s/%s: %s", removal->run,
			    remover->daemon->paths.log, removal->project,
			    r == -EBUSY ? "a step of it runs" : strerror(-r));
	/* on failure there is no scheduler: a new one requests the removal again */
	(void)channel_send(link_to(remover->daemon, CHILD_SCHEDULER),
			   MESSAGE_NEW(log_removed, 0, .run = removal->run,
				       .error = r < 0 ? strerror(-r) : ""));
}

static void remover_turn(struct loop_timer *timer)
{
	struct log_remover *remover = container_of(timer, struct log_remover, timer);
	struct removal *removal = list_entry(remover->removals.first, struct removal, node);
	int r = removal_continue(remover, removal);

	if (r != 0) {
		removal_answer(remover, removal, r);
		list_remove(&removal->node);
		remover->n--;
		free(removal);
	}
	if (!list_empty(&remover->removals))
		(void)loop_timer_set(remover->daemon->loop, timer, now_usec(), remover_turn);
}

int log_remove(struct log_remover *remover, const char *project, uint64_t run)
{
	struct removal *removal;

	if (remover->n == REMOVALS_MAX)
		return -EBUSY;
	removal = calloc(1, sizeof(*removal));
	if (!removal)
		return -ENOMEM;
	(void)snprintf(removal->project, sizeof(removal->project), "%s", project);
	removal->run = run;
	list_append(&remover->removals, &removal->node);
	remover->n++;
	if (!remover->timer.loop)
		return loop_timer_set(remover->daemon->loop, &remover->timer, now_usec(),
				      remover_turn);
	return 0;
}

int log_remover_new(struct daemon *daemon, struct log_remover **ret_remover)
{
	struct log_remover *remover = calloc(1, sizeof(*remover));

	if (!remover)
		return -ENOMEM;
	remover->daemon = daemon;
	remover->timer = LOOP_TIMER_NULL;
	*ret_remover = remover;
	return 0;
}

struct log_remover *log_remover_free(struct log_remover *remover)
{
	struct removal *removal, *next;

	if (!remover)
		return NULL;
	loop_timer_cancel(&remover->timer);
	list_each_safe (removal, next, &remover->removals, node)
		free(removal);
	free(remover);
	return NULL;
}
