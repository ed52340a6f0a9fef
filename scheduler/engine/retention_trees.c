/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees, uploads and mirrors, which the fetcher keeps and removes on request.
 *
 * A fetch may find a tree that exists already, so a project has either fetches or a removal open,
 * never both: nothing is removed while a fetch is open, and no fetch is requested until the reply
 * to a removal.
 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/messages/fetching.h"
#include "common/name_list.h"
#include "scheduler/engine/retention_pass.h"
#include "scheduler/engine/source.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREES_ROWS 64	    /* examined after a pass */
#define TREES_ASKED_MAX 16  /* open removals */
#define MIRRORS_ASKED_MAX 2 /* a process of the fetcher examines each mirror */
#define COMMITS_MAX 100000  /* of one project; a mirror with more commits is left alone */

/** struct tree_removal - an open request to the fetcher */
struct tree_removal {
	struct tree_removal *next;
	uint64_t serial;
	struct project *project;
	char tree[COMMIT_HEX_MAX + 1]; /* "": the mirror */
};

static size_t asked_count(const struct scheduler *scheduler, bool mirrors)
{
	size_t n = 0;

	for (const struct tree_removal *removal = scheduler->retention.trees; removal;
	     removal = removal->next)
		n += (removal->tree[0] == '\0') == mirrors;
	return n;
}

static struct tree_removal *removal_new(struct project *project, const char *tree)
{
	struct scheduler *scheduler = project->scheduler;
	struct tree_removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return NULL;
	removal->serial = ++scheduler->last_serial;
	removal->project = project;
	(void)snprintf(removal->tree, sizeof(removal->tree), "%s", tree);
	removal->next = scheduler->retention.trees;
	scheduler->retention.trees = removal;
	project->n_removing++;
	return removal;
}

/* ---- trees ---- */

struct tree_row {
	struct store_tree row;
	char project[PROJECT_NAME_MAX + 1];
	char tree[COMMIT_HEX_MAX + 1];
};

struct tree_chunk {
	struct tree_row rows[TREES_ROWS];
	size_t n;
};

static void chunk_add(const struct store_tree *row, void *userdata)
{
	struct tree_chunk *chunk = userdata;
	struct tree_row *copy = &chunk->rows[chunk->n++];

	copy->row = *row;
	(void)snprintf(copy->project, sizeof(copy->project), "%s", row->project);
	(void)snprintf(copy->tree, sizeof(copy->tree), "%s", row->tree);
	copy->row.project = copy->project;
	copy->row.tree = copy->tree;
}

/* Whether a limit, or lack of space, removes the tree. used_usec of 0: no run has it any more. */
static bool tree_over(struct project *project, const struct store_tree *row, bool space)
{
	enum retention_kind kind = row->upload ? RETENTION_UPLOADS : RETENTION_TREES;
	struct retention_sum sum = {0};
	uint64_t now = wall_usec();
	uint64_t age = now > row->used_usec ? now - row->used_usec : 0;

	if (row->removing || row->used_usec == 0 || (space && !row->upload))
		return true;
	if (store_trees_younger(project->scheduler->store, row, &sum.count) < 0)
		return false;
	sum.count++;
	return retention_judge(&project->retention, &project->scheduler->config.retention, kind,
			       sum, (struct retention_sum){0}, age) != RETENTION_KEEP;
}

static void tree_look(struct scheduler *scheduler, const struct store_tree *row, bool space)
{
	struct project *project = project_get(scheduler, row->project);
	struct tree_removal *removal;

	if (!project || project->n_asked || project->n_removing ||
	    !tree_over(project, row, space) || store_tree_needed(scheduler->store, row) != 0)
		return;
	removal = removal_new(project, row->tree);
	if (!removal)
		return;
	store_tree_mark(scheduler->store, row, wall_usec());
	outbox_put(&scheduler->fetcher, MESSAGE_NEW(tree_remove, removal->serial,
						    .project = row->project, .tree = row->tree));
}

/* ---- mirrors ---- */

/* All commits of @project's runs in a memfd, see common/name_list.h. Return: fd or -errno. */
static int commits_fd(struct project *project)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int64_t n;

	if (!stream)
		return -ENOMEM;
	n = store_commits_write(project->scheduler->store, project->name, COMMITS_MAX + 1, stream);
	if (fclose(stream) != 0)
		return -ENOMEM;
	if (n < 0 || n > COMMITS_MAX)
		return n < 0 ? (int)n : -E2BIG;
	return memfd_sealed("runbook-commits", text ? text : "", size);
}

/* Request that the mirror is pruned, except for the commits of @project's runs, if that is due. */
static void mirror_look(struct project *project)
{
	struct scheduler *scheduler = project->scheduler;
	struct retention_limit limit = retention_limit_of(
		&project->retention, &scheduler->config.retention, RETENTION_MIRRORS);
	cleanup_close int fd = -1;
	struct tree_removal *removal;

	if (project->workspace || !project->configured || project->n_asked || project->n_removing ||
	    limit.age_sec >= RETENTION_NO_LIMIT / USEC_PER_SEC || !limit.age_sec ||
	    store_mirror_due(scheduler->store, project->name, wall_usec(),
			     limit.age_sec * USEC_PER_SEC) <= 0)
		return;
	fd = commits_fd(project);
	removal = fd < 0 ? NULL : removal_new(project, "");
	if (!removal)
		return;
	outbox_put(&scheduler->fetcher, MESSAGE_NEW(mirror_prune, removal->serial,
						    .project = project->name, .kept = fd));
}

/* ---- after a pass ---- */

void retention_trees_look(struct scheduler *scheduler, bool space)
{
	struct retention *retention = &scheduler->retention;
	struct tree_chunk *chunk = calloc(1, sizeof(*chunk));
	struct project *project = NULL;
	size_t bucket = 0;

	if (!chunk || !scheduler->fetcher.channel.open) {
		free(chunk);
		return;
	}
	if (space)
		retention->trees_cursor = 0;
	if (store_trees_each(scheduler->store, retention->trees_cursor, TREES_ROWS, chunk_add,
			     chunk) == 0) {
		for (size_t i = 0; i < chunk->n && asked_count(scheduler, false) < TREES_ASKED_MAX;
		     i++)
			tree_look(scheduler, &chunk->rows[i].row, space);
		retention->trees_cursor =
			chunk->n < TREES_ROWS ? 0 : chunk->rows[TREES_ROWS - 1].row.used_usec;
	}
	free(chunk);
	while (asked_count(scheduler, true) < MIRRORS_ASKED_MAX &&
	       (project = project_next(scheduler, &bucket, project)))
		mirror_look(project);
	turn_schedule(scheduler);
}

/* ---- replies ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool branch_there(const char *ref, void *userdata)
{
	const struct name_list *branches = userdata;

	return branches->n_items > 0 && bsearch(&ref, branches->items, branches->n_items,
						sizeof(*branches->items), compare_names);
}

/* Note which branches the remote has no longer. A list that cannot be read changes nothing. */
static void branches_learn(struct project *project, int fd)
{
	struct name_list branches = {.n_items = 0};
	int r = name_list_read(fd, BRANCHES_BYTES_MAX, BRANCHES_MAX, &branches);

	if (r == 0) {
		if (branches.n_items > 0)
			qsort(branches.items, branches.n_items, sizeof(*branches.items),
			      compare_names);
		r = store_branches_update(project->scheduler->store, project->name, branch_there,
					  &branches);
	}
	if (r < 0)
		log_warning("project %s: the list of its branches cannot be used: %s",
			    project->name, strerror(-r));
	name_list_clear(&branches);
}

/* @pruned: whether the reply is about a mirror, and so brings branches */
static void removal_answered(struct scheduler *scheduler, uint64_t serial, bool mirror,
			     const struct message_mirror_pruned *pruned)
{
	struct tree_removal **link = &scheduler->retention.trees, *removal;
	const char *error = pruned->error;

	while (*link && (*link)->serial != serial)
		link = &(*link)->next;
	removal = *link;
	if (!removal || (removal->tree[0] == '\0') != mirror)
		return; /* a reply to a request that was given up */
	*link = removal->next;
	removal->project->n_removing--;
	if (error[0])
		log_warning("project %s: %s", removal->project->name, error);
	else if (!mirror)
		store_tree_remove(scheduler->store, removal->project->name, removal->tree);
	if (pruned->freed)
		log_info("project %s: retention removed %s%s: %" PRIu64 " bytes",
			 removal->project->name,
			 mirror ? "unreachable objects of the mirror" : "the tree ", removal->tree,
			 pruned->freed);
	if (pruned->branches >= 0)
		branches_learn(removal->project, pruned->branches);
	source_continue(removal->project);
	free(removal);
	turn_schedule(scheduler);
	/* one removal at a time in each project: look for the next one */
	if (!error[0] && !mirror)
		retention_trees_look(scheduler, false);
}

int retention_handle_tree_removed(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = ((struct peer *)channel->userdata)->scheduler;
	struct message_tree_removed removed;
	int r = MESSAGE_GET(message, tree_removed, &removed);

	if (r < 0)
		return r;
	removal_answered(scheduler, message->serial, false,
			 &(const struct message_mirror_pruned){
				 .freed = removed.freed, .error = removed.error, .branches = -1});
	return 0;
}

int retention_handle_mirror_pruned(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = ((struct peer *)channel->userdata)->scheduler;
	struct message_mirror_pruned pruned;
	int r = MESSAGE_GET(message, mirror_pruned, &pruned);

	if (r < 0)
		return r;
	removal_answered(scheduler, message->serial, true, &pruned);
	return 0;
}

void retention_trees_forget(struct scheduler *scheduler)
{
	struct tree_removal *removal = scheduler->retention.trees, *next;

	scheduler->retention.trees = NULL;
	for (; removal; removal = next) {
		next = removal->next;
		removal->project->n_removing--;
		free(removal);
	}
}
