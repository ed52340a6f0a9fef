/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SOURCE_H
#define SCHEDULER_SOURCE_H

/* Where the tree of a run comes from. */

#include "common/fetch_outcome.h"
#include "scheduler/model/scheduler.h"

/** source_start() - ask for the tree of @run, or queue the question */
void source_start(struct run *run);
/** source_stop() - its run does not wait for it any more; does nothing if it did not */
void source_stop(struct run *run);
/** source_failed() - the tree cannot be had: the run is errored with @sentence */
void source_failed(struct run *run, enum fetch_outcome outcome, const char *sentence);
/**
 * source_again() - a final run that never had steps is pending again, its tree is asked for
 *
 * Return: 0, -EBUSY with @error when that would lead to nothing.
 */
int source_again(struct run *run, struct error *error);
/** source_objects() - which objects of git the steps of @run see, of a run that has its tree */
enum step_objects source_objects(const struct run *run);
/**
 * struct source_tree - what was found out about a tree
 * @commit, @title, @author: what the fetcher found; "" where there is nothing
 * @default_branch: of the repository, a full ref, "" if it is not known
 * @view: the references beside the tree, "" where there are none
 * @view_objects: it has objects of its own
 * @runbook_fd: runbook.yml, stays the caller's; -1 when the tree has none
 * @paths_fd:   changed paths, stays the caller's; -1 when they are not known
 * @misnamed:   a file that looks like a runbook.yml which the tree has not; "" for none
 */
struct source_tree {
	const char *commit, *title, *author, *default_branch, *view;
	bool view_objects;
	int runbook_fd, paths_fd;
	const char *misnamed;
};

/** source_continue() - nothing of the project is being removed any more: ask for what waits */
void source_continue(struct project *project);
/** source_arrived() - the tree is there */
void source_arrived(struct run *run, const struct source_tree *tree);
/** sources_reask() - the fetcher came back or went away: open questions start over */
void sources_reask(struct scheduler *scheduler, bool may_ask);

#endif
