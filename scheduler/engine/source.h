/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SOURCE_H
#define SCHEDULER_SOURCE_H

/*
 * DOC: The tree of a run
 *
 * Before a run has steps it needs a tree with a runbook.yml: the fetcher checks out a commit or
 * unpacks an upload, or the daemon opens the workspace directory that the configuration names. The
 * reply brings the runbook, the changed paths and what is shown of the commit. A request that fails
 * may be repeated later, see source_retry.h.
 *
 * The runs of a project that wait for their trees are in a list, and the first SOURCES_ASKED_MAX of
 * them have open requests, so that a flood of deliveries to one project does not fill the fetcher's
 * queue. When the fetcher dies, open requests are sent again under new serials; a late reply to an
 * old serial is ignored.
 */

#include "common/fetch_outcome.h"
#include "scheduler/model/scheduler.h"

/** source_start() - request the tree of @run, or queue the request */
void source_start(struct run *run);
/** source_stop() - @run does not wait for its tree any more; no-op if it did not */
void source_stop(struct run *run);
/**
 * source_failed() - the tree of @run cannot be had: retry later, or end the run as errored with
 * @sentence
 */
void source_failed(struct run *run, enum fetch_outcome outcome, const char *sentence);
/**
 * source_again() - a final run that never had steps becomes pending again, and its tree is
 * requested
 *
 * Return: 0, or -EBUSY with @error when that could not succeed.
 */
int source_again(struct run *run, struct error *error);
/** source_objects() - which git objects the steps of @run see; the run has its tree */
enum step_objects source_objects(const struct run *run);
/**
 * struct source_tree - the reply with a tree; everything stays the caller's
 * @commit, @title, @author: from the fetcher; "" where there is none
 * @default_branch: of the repository, a full ref; "" if it is not known
 * @view: the references beside the tree; "" where there are none
 * @view_objects: the view has objects of its own
 * @runbook_fd: runbook.yml; -1 when the tree has none
 * @paths_fd:   changed paths; -1 when they are not known
 * @misnamed:   a file that looks like a misspelt runbook.yml; "" for none
 */
struct source_tree {
	const char *commit, *title, *author, *default_branch, *view;
	bool view_objects;
	int runbook_fd, paths_fd;
	const char *misnamed;
};

/** source_continue() - no removal of the project is open any more: send the waiting requests */
void source_continue(struct project *project);
/** source_arrived() - the tree of @run is there: store what came with it, read the runbook */
void source_arrived(struct run *run, const struct source_tree *tree);
/** sources_reask() - the fetcher came back (@may_ask) or went away: open requests start over */
void sources_reask(struct scheduler *scheduler, bool may_ask);

#endif
