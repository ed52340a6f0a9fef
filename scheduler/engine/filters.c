/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/filters.h"

#include "common/cleanup.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/model/run_row.h"

#include <stdio.h>
#include <string.h>

/* The schedule fired under an older runbook; this one may no longer list it. */
static bool schedule_admits(const struct run *run, char *why, size_t size)
{
	const char *branch = run->project->default_branch;

	/*
	 * the schedule is listed in the default branch; the runbook of another branch need not list
	 * it
	 */
	if (!branch || strcmp(branch, run->row.ref) != 0 || schedule_listed(run))
		return true;
	(void)snprintf(why, size, "\"on\" of its runbook does not have this schedule any more");
	return false;
}

bool filters_admit(struct run *run)
{
	enum runbook_event event = run_event(run);
	char why[REASON_MAX / 2] = "";
	char *const *paths;
	size_t n_paths = run_paths(run, &paths);
	bool wanted;

	if (run->row.retry_of || run->row.source == RUN_SOURCE_UPLOAD)
		return true;
	if (event == RUNBOOK_EVENT_SCHEDULE)
		wanted = schedule_admits(run, why, sizeof(why));
	else
		wanted = runbook_filter_match(run->runbook, event, run_filter_ref(run), paths,
					      n_paths, why, sizeof(why));
	if (wanted)
		return true;
	run_unwanted(run, "%s", why);
	return false;
}
