/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/run_row.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

int run_set_text(const char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	free((char *)*field);
	*field = copy;
	return 0;
}

static const size_t text_fields[] = {
	offsetof(struct store_run, project),  offsetof(struct store_run, event),
	offsetof(struct store_run, ref),      offsetof(struct store_run, asked),
	offsetof(struct store_run, commit),   offsetof(struct store_run, tree),
	offsetof(struct store_run, title),    offsetof(struct store_run, actor),
	offsetof(struct store_run, base_ref), offsetof(struct store_run, before),
	offsetof(struct store_run, view),
};

static const char **text_field(struct store_run *row, size_t i)
{
	return (const char **)(void *)((char *)row + text_fields[i]);
}

int run_row_copy(struct store_run *to, const struct store_run *from)
{
	struct store_run source = *from;
	int r;

	*to = source;
	to->name = to->reason = to->findings = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
		*text_field(to, i) = NULL;
	r = run_set_text(&to->name, source.name);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(text_fields); i++) {
		const char *text = *text_field(&source, i);

		r = run_set_text(text_field(to, i), text ? text : "");
	}
	return r;
}

void run_row_clear(struct store_run *row)
{
	(void)run_set_text(&row->name, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
		(void)run_set_text(text_field(row, i), NULL);
}

/* ---- the event that started a run ---- */

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

bool ref_is_ours(const char *ref)
{
	/* refs/pull/7/head and the like have commits that anyone may have proposed */
	return !ref || !*ref || strncmp(ref, "refs/heads/", 11) == 0 ||
	       strncmp(ref, "refs/tags/", 10) == 0;
}

bool run_of_fork(const struct run *run)
{
	return run->row.from_fork || run->row.view_objects ||
	       (strcmp(run->row.event, "pull_request") != 0 && !ref_is_ours(run->row.ref));
}
