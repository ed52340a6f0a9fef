/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/filters.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "scheduler/run.h"
#include "scheduler/schedule.h"
#include "scheduler/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum runbook_event run_event(const struct run *run)
{
	for (unsigned i = 0; i < RUNBOOK_EVENT_NUM; i++) {
		if (strcmp(runbook_event_name((enum runbook_event)i), run->row.event) == 0)
			return (enum runbook_event)i;
	}
	return RUNBOOK_EVENT_MANUAL;
}

const char *run_filter_ref(const struct run *run)
{
	return run->row.base_ref[0] ? run->row.base_ref : run->row.ref;
}

const char *ref_branch(const char *ref)
{
	static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (strncmp(ref, prefixes[i], strlen(prefixes[i])) == 0)
			return ref + strlen(prefixes[i]);
	}
	return ref;
}

size_t run_paths(const struct run *run, char *const **ret_paths)
{
	*ret_paths = run->paths.items;
	return run->paths_known ? run->paths.n_items : SIZE_MAX;
}

/* Its time came by the runbook of then; the one of now may say otherwise. */
static bool schedule_admits(const struct run *run, char *why, size_t size)
{
	const char *branch = run->project->default_branch;

	/* another branch's runbook need not know of the schedule */
	if (!branch || strcmp(branch, run->row.ref) != 0 || schedule_listed(run))
		return true;
	(void)snprintf(why, size, "\"on\" of its runbook does not have this schedule any more");
	return false;
}

void run_unwanted(struct run *run, const char *format, ...)
{
	char why[REASON_MAX / 2], reason[REASON_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	run->row.unwanted = true;
	store_run_set_limits(run->scheduler->store, &run->row);
	(void)snprintf(reason, sizeof(reason), "not wanted: %s", why);
	state_run_set(run, RUN_STATE_CANCELLED, reason);
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
