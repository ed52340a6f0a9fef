/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/findings.h"
#include "runbook/runbook.h"

#include "common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Decides by "on" whether an event starts a run. */

static const char *const event_names[] = {
	[RUNBOOK_EVENT_PUSH] = "push",	   [RUNBOOK_EVENT_PULL_REQUEST] = "pull_request",
	[RUNBOOK_EVENT_TAG] = "tag",	   [RUNBOOK_EVENT_SCHEDULE] = "schedule",
	[RUNBOOK_EVENT_MANUAL] = "manual",
};
static_assert(ARRAY_SIZE(event_names) == RUNBOOK_EVENT_NUM, "every event has a name");

#define HEADS "refs/heads/"
#define TAGS "refs/tags/"

const char *runbook_event_name(enum runbook_event event)
{
	return event_names[event];
}

static const char *prefix_strip(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool runbook_paths_match(const struct runbook_globs *globs, char *const *paths, size_t n_paths,
			 uint64_t *steps)
{
	if (globs->n_items == 0 || n_paths == SIZE_MAX)
		return true;
	for (size_t i = 0; i < n_paths; i++) {
		if (runbook_globs_match(globs, paths[i], steps) || *steps == 0)
			return true;
	}
	return false;
}

/*
 * A manual trigger's ref is a branch or a tag. If the filter has patterns only for the other
 * kind, it does not match.
 */
static bool name_matches(const struct runbook_filter *filter, const char *name, bool is_tag,
			 uint64_t *steps)
{
	const struct runbook_globs *own = is_tag ? &filter->tags : &filter->branches;
	const struct runbook_globs *other = is_tag ? &filter->branches : &filter->tags;

	if (own->n_items == 0 && other->n_items > 0)
		return false;
	return runbook_globs_match(own, name, steps);
}

bool runbook_filter_match(const struct runbook *runbook, enum runbook_event event, const char *ref,
			  char *const *paths, size_t n_paths, char *why, size_t why_size)
{
	const char *tag = prefix_strip(ref, TAGS), *branch = prefix_strip(ref, HEADS);
	const char *name = tag ? tag : branch ? branch : ref;
	const struct runbook_filter *filter;
	uint64_t steps = RUNBOOK_MATCH_STEPS;
	bool is_tag;

	if (event == RUNBOOK_EVENT_PUSH && tag)
		event = RUNBOOK_EVENT_TAG;
	is_tag = event == RUNBOOK_EVENT_TAG || tag;
	filter = &runbook->on[event];
	if (!filter->given) {
		(void)snprintf(why, why_size, "%s %s",
			       runbook->on_given ? "\"on\" does not name"
						 : "without \"on\", no run for",
			       event_names[event]);
		return false;
	}
	if (!name_matches(filter, name, is_tag, &steps)) {
		(void)snprintf(why, why_size, "on.%s leaves out the %s \"%s\"%s",
			       event_names[event], is_tag ? "tag" : "branch", QUOTE(name),
			       steps ? "" : ": its patterns take too long to compare");
		return false;
	}
	if (!runbook_paths_match(&filter->paths, paths, n_paths, &steps)) {
		(void)snprintf(why, why_size, "on.%s.paths: none of the changed files is chosen",
			       event_names[event]);
		return false;
	}
	return true;
}
