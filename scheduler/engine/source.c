/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for trees, and their replies. */
#include "scheduler/engine/source.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/fetching.h"
#include "common/messages/steps.h"
#include "common/names.h"
#include "common/runbook_name.h"
#include "scheduler/engine/deliveries.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct peer *source_peer(struct run *run)
{
	return run->row.source == RUN_SOURCE_WORKSPACE ? &executor_home(run->scheduler)->peer
						       : &run->scheduler->fetcher;
}

/* The commit to fetch; "": the one that the ref names now. */
static const char *source_commit(const struct run *run)
{
	if (delivery_doubted(run))
		return "";
	return run->row.commit[0] ? run->row.commit : run->row.asked;
}

/* The name of the tree that the fetcher will make; "" where only its reply has it. */
static const char *source_tree(const struct run *run)
{
	return run->row.source == RUN_SOURCE_FETCH ? source_commit(run) : run->row.tree;
}

/*
 * Whose commit @run builds. Unless it is FETCH_OURS, the steps see nothing of the repository but
 * what that commit and its base reach.
 */
static enum fetch_whose source_whose(const struct run *run)
{
	const char *ref = run->row.ref;

	/* a pull request within the repository: its author may read all of it */
	if (run_event(run) == RUNBOOK_EVENT_PULL_REQUEST)
		return run->row.from_fork ? FETCH_FOREIGN : FETCH_OURS;
	/* refs/pull/7/head and the like have commits that anyone may have proposed */
	if (run->row.from_fork ||
	    (*ref && strncmp(ref, "refs/heads/", 11) != 0 && strncmp(ref, "refs/tags/", 10) != 0))
		return FETCH_FOREIGN;
	/* a signed delivery says that its branch had the commit; a person's request does not */
	return run_event(run) == RUNBOOK_EVENT_MANUAL && run->row.asked[0] ? FETCH_UNKNOWN
									   : FETCH_OURS;
}

enum step_objects source_objects(const struct run *run)
{
	if (run->row.source != RUN_SOURCE_FETCH)
		return STEP_OBJECTS_NONE;
	if (run->row.view_objects)
		return STEP_OBJECTS_VIEW;
	/* from an older version without views: the steps see the files alone */
	return source_whose(run) == FETCH_FOREIGN ? STEP_OBJECTS_NONE : STEP_OBJECTS_MIRROR;
}

static struct message *source_request_fetch(const struct run *run)
{
	enum runbook_event event = run_event(run);
	/* the paths of a tag or of a manual run have nothing to be compared with */
	bool wanted = event == RUNBOOK_EVENT_PUSH || event == RUNBOOK_EVENT_PULL_REQUEST;

	return MESSAGE_NEW(fetch, run->serial, .project = run->row.project, .ref = run->row.ref,
			   .commit = source_commit(run), .before = wanted ? run->row.before : "",
			   .base_ref = wanted ? run->row.base_ref : "", .whose = source_whose(run));
}

static struct message *source_request(const struct run *run)
{
	switch (run->row.source) {
	case RUN_SOURCE_WORKSPACE:
		return MESSAGE_NEW(workspace_open, run->serial, .project = run->row.project,
				   .run = run->row.id);
	case RUN_SOURCE_UPLOAD:
		return MESSAGE_NEW(unpack, run->serial, .project = run->row.project,
				   .id = run->row.tree, .tar = run->upload_fd);
	case RUN_SOURCE_FETCH:
	default:
		return source_request_fetch(run);
	}
}

static void source_request_send(struct run *run)
{
	struct scheduler *scheduler = run->scheduler;

	run->serial = ++scheduler->last_serial;
	if (map_put(&scheduler->serials, run->serial, run) < 0) {
		scheduler_give_up(scheduler, NULL);
		return;
	}
	store_tree_expect(scheduler->store, &run->row, source_tree(run));
	/* the previous fetcher may have read a part of it */
	if (run->upload_fd >= 0)
		(void)lseek(run->upload_fd, 0, SEEK_SET);
	outbox_put(source_peer(run), source_request(run));
}

static struct run *source_behind(const struct run *run)
{
	return list_entry(run->source_node.next, struct run, source_node);
}

static void source_pump(struct project *project)
{
	while (project->sources_next && project->n_asked < SOURCES_ASKED_MAX &&
	       project->n_removing == 0 && source_peer(project->sources_next)->channel.open) {
		struct run *run = project->sources_next;

		project->sources_next = source_behind(run);
		project->n_asked++;
		source_request_send(run);
	}
}

void source_continue(struct project *project)
{
	source_pump(project);
}

void source_start(struct run *run)
{
	struct project *project = run->project;

	run->sourcing = true;
	list_append(&project->sources, &run->source_node);
	if (!project->sources_next)
		project->sources_next = run;
	source_pump(project);
}

/* Leave the list of waiting runs; an upload is kept, in case it is unpacked again. */
static void source_leave(struct run *run)
{
	struct project *project = run->project;

	if (!run->sourcing)
		return;
	run->sourcing = false;
	if (project->sources_next == run)
		project->sources_next = source_behind(run);
	list_remove(&run->source_node);
	if (run->serial) {
		map_remove(&run->scheduler->serials, run->serial);
		run->serial = 0;
		project->n_asked--;
	}
	source_pump(project);
}

void source_stop(struct run *run)
{
	source_leave(run);
	if (run->upload_fd >= 0)
		(void)close(TAKE_FD(run->upload_fd));
}

void sources_reask(struct scheduler *scheduler, bool may_ask)
{
	struct project *project = NULL;
	struct run *run;
	size_t bucket = 0;

	while ((project = project_next(scheduler, &bucket, project))) {
		list_each (run, &project->sources, source_node) {
			if (run->serial)
				map_remove(&scheduler->serials, run->serial);
			run->serial = 0;
		}
		project->n_asked = 0;
		project->sources_next = list_entry(project->sources.first, struct run, source_node);
		if (may_ask)
			source_pump(project);
	}
}

/*
 * Read at most one byte more than a runbook may have, so that the parser sees that it is too long
 * and reports the place. The descriptor comes from another process: anything but a regular file
 * could block the loop.
 */
static int source_read(int fd, char **ret_text, size_t *ret_size, struct error *error)
{
	cleanup_free char *text = NULL;
	struct stat status;
	ssize_t n;

	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "cannot look at runbook.yml");
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "runbook.yml is not a regular file");
	text = malloc(RUNBOOK_BYTES_MAX + 2);
	if (!text)
		return error_errno(error, ENOMEM, "cannot read runbook.yml");
	n = fd_read_all(fd, text, RUNBOOK_BYTES_MAX + 1);
	if (n < 0)
		return error_errno(error, (int)-n, "cannot read runbook.yml");
	text[n] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = (size_t)n;
	return 0;
}

static void source_no_runbook(struct run *run, const char *misnamed)
{
	char reason[REASON_MAX + 1], name[4 * RUNBOOK_NAME_MAX];

	text_escape(name, sizeof(name), misnamed);
	if (*name)
		(void)snprintf(reason, sizeof(reason), RUNBOOK_MISNAMED, name);
	else if (run->row.source == RUN_SOURCE_FETCH)
		(void)snprintf(reason, sizeof(reason),
			       "no runbook.yml in commit %.12s: add one to the top directory",
			       run->row.commit);
	else
		(void)snprintf(reason, sizeof(reason),
			       "no runbook.yml in the %s: add one to its top directory",
			       run->row.source == RUN_SOURCE_UPLOAD ? "upload" : "workspace");
	state_run_set(run, RUN_STATE_FAILED, reason);
}

static void source_runbook(struct run *run, const struct source_tree *tree)
{
	struct error error = ERROR_INIT;
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (run->row.runbook) {
		run_next(run, RUN_DUE_RUNBOOK);
	} else if (tree->runbook_fd < 0) {
		run_next(run, RUN_DUE_SCHEDULES);
		source_no_runbook(run, tree->misnamed);
	} else if (source_read(tree->runbook_fd, &text, &size, &error) < 0) {
		/* a directory stays a directory, but a failed read may succeed later */
		source_failed(run, error.number == EINVAL ? FETCH_REFUSED : FETCH_UNREACHABLE,
			      error.text);
	} else {
		run->text = TAKE_PTR(text);
		run->text_size = size;
		run_next(run, RUN_DUE_RUNBOOK);
	}
}

void source_failed(struct run *run, enum fetch_outcome outcome, const char *sentence)
{
	char reason[REASON_MAX + 1];

	source_leave(run);
	if (outcome == FETCH_NO_SUCH_COMMIT && delivery_doubted(run)) {
		(void)delivery_confirm(run, "");
		return;
	}
	if (source_retry(run, outcome, sentence))
		return;
	source_stop(run);
	source_retry_sentence(run, sentence, reason, sizeof(reason));
	state_run_set(run, RUN_STATE_ERRORED, reason);
}

int source_again(struct run *run, struct error *error)
{
	const struct store_run *row = &run->row;

	if (row->source != RUN_SOURCE_UPLOAD && !run->project->configured)
		return error_set(error, EBUSY,
				 "project %s is not configured any more: add it again",
				 row->project);
	if (row->source == RUN_SOURCE_UPLOAD)
		return error_set(error, EBUSY,
				 "run %" PRIu64
				 " has no steps, and its upload is gone: send it again",
				 row->id);
	if (row->runbook && row->state == RUN_STATE_FAILED)
		return error_set(error, EBUSY,
				 "run %" PRIu64 " has no steps: its runbook.yml is not valid; "
				 "correct it and push again",
				 row->id);
	state_run_set(run, RUN_STATE_PENDING, "it never had steps: it is fetched again");
	run_next(run, RUN_DUE_TREE);
	return 0;
}

/* Without a readable list of changed paths, filters let everything through. */
static void source_paths(struct run *run, int fd)
{
	int r = fd < 0 ? -ENOENT
		       : name_list_read(fd, CHANGED_PATHS_BYTES_MAX, CHANGED_PATHS_MAX,
					&run->paths);

	run->paths_known = r == 0;
	if (r < 0 && fd >= 0)
		log_warning("%s run %" PRIu64 ": the changed paths cannot be read: %s",
			    run->row.project, run->row.id, strerror(-r));
}

/* Store the texts that came with the tree. Return: 0 or -ENOMEM. */
static int source_texts(struct run *run, const struct source_tree *tree)
{
	struct project *project = run->project;
	int r = 0;

	if (run->row.source == RUN_SOURCE_FETCH) {
		r = run_set_text(&run->row.commit, tree->commit);
		if (r == 0)
			r = run_set_text(&run->row.tree, tree->commit);
		if (r == 0)
			r = run_set_text(&run->row.view, tree->view);
		run->row.view_objects = tree->view_objects;
	}
	if (r == 0 && tree->default_branch[0])
		r = run_set_text((const char **)&project->default_branch, tree->default_branch);
	/* a request without a ref meant the default branch */
	if (r == 0 && run->row.source == RUN_SOURCE_FETCH && !run->row.ref[0] && !run->row.asked[0])
		r = run_set_text(&run->row.ref, tree->default_branch);
	if (r == 0 && !run->row.title[0])
		r = run_set_text(&run->row.title, tree->title);
	if (r == 0 && !run->row.actor[0])
		r = run_set_text(&run->row.actor, tree->author);
	return r;
}

static void source_take(struct run *run, const struct source_tree *tree)
{
	if (run->row.source == RUN_SOURCE_FETCH && !commit_valid(tree->commit)) {
		state_run_set(run, RUN_STATE_ERRORED,
			      "the fetcher answered without a valid commit");
		return;
	}
	if (delivery_doubted(run)) {
		store_tree_expect(run->scheduler->store, &run->row, tree->commit);
		if (!delivery_confirm(run, tree->commit))
			return;
	}
	if (source_texts(run, tree) < 0) {
		state_run_set(run, RUN_STATE_ERRORED, "out of memory");
		return;
	}
	store_run_set_tree(run->scheduler->store, &run->row);
	store_tree_use(run->scheduler->store, &run->row, wall_usec());
	source_paths(run, tree->paths_fd);
	source_runbook(run, tree);
}

void source_arrived(struct run *run, const struct source_tree *tree)
{
	source_leave(run);
	/* before this run joins its group, older delayed runs of its branch try at once */
	source_retry_arrived(run);
	source_take(run, tree);
	if (!source_retry_waits(run))
		source_stop(run);
}
