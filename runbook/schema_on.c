/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/glob.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"
#include "common/cron.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reading "on": events that start a run, and the patterns that filter them. */

/* ---- patterns ---- */

/* The prefix of a full ref name, where a short one is expected */
static const char *ref_prefix(const char *pattern)
{
	static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "origin/"};

	pattern += *pattern == '!';
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (strncmp(pattern, prefixes[i], strlen(prefixes[i])) == 0)
			return prefixes[i];
	}
	return NULL;
}

static bool check_glob(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path)
{
	const char *fix, *wrong, *prefix;
	struct runbook_finding *finding;

	if (node->kind != NODE_TEXT) {
		report_type(draft, "a pattern", "text", "a name or a pattern", node, path);
		return false;
	}
	if (node->length > GLOB_MAX || !text_printable(node->text)) {
		finding = findings_add(
			draft->findings, node->place, path, "a pattern %s%s: \"%s\"",
			node->length > GLOB_MAX ? "has more than 256 bytes" : "contains ",
			node->length > GLOB_MAX ? "" : text_problem(node->text), QUOTE(node->text));
		finding_fix(finding, "write a shorter one on one line");
		return false;
	}
	wrong = glob_check(node->text, &fix);
	if (wrong) {
		finding = findings_add(draft->findings, node->place, path, "the pattern \"%s\" %s",
				       QUOTE(node->text), wrong);
		finding_fix(finding, "%s", fix);
		return false;
	}
	prefix = ref_prefix(node->text);
	if (!prefix || strcmp(key->name, "paths") == 0)
		return true;
	finding = findings_add(draft->findings, node->place, path,
			       "the pattern \"%s\" begins with \"%s\"", QUOTE(node->text), prefix);
	finding_fix(finding, "write the name without it");
	return false;
}

int read_globs(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	struct runbook_globs *globs = target;
	size_t n = node->kind == NODE_LIST ? node->n_items : 1;
	struct runbook_finding *finding;

	if (node->kind != NODE_LIST && node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), "a list of patterns", key->format, node, path);
		return 0;
	}
	if (n == 0 || n > GLOBS_MAX) {
		finding = findings_add(draft->findings, node->place, path, "\"%s\" has %s patterns",
				       key->name, n ? "more than 100" : "no");
		finding_fix(finding, n ? "use fewer: \"**\" stands for any text"
				       : "write a pattern, or remove the line to choose all");
		return 0;
	}
	globs->items = calloc(n, sizeof(*globs->items));
	if (!globs->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct node_path entry_path = {.parent = path, .index = i};
		bool is_list = node->kind == NODE_LIST;
		const struct node *entry = is_list ? node->items[i] : node;

		if (!check_glob(draft, key, entry, is_list ? &entry_path : path))
			continue;
		if (text_store(entry, &globs->items[globs->n_items]) < 0)
			return -ENOMEM;
		globs->n_items++;
	}
	return 0;
}

/* ---- events ---- */

int read_event(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	struct runbook_filter *filter = target;
	struct runbook_finding *finding;

	filter->given = true;
	if (node->kind == NODE_NULL) /* "push:" without a value: all pushes */
		return 0;
	if (node->kind == NODE_MAP)
		return schema_read_map(draft, (enum schema_scope)key->inner, node, path, filter);
	finding = findings_add(draft->findings, node->place, path, "\"%s\" must be %s, but is %s",
			       key->name, key->format, node_kind_name(node->kind));
	if (node->kind == NODE_TEXT)
		finding_fix(finding, "write %s: {%s: [%s]}", key->name,
			    key->inner == SCOPE_TAG ? "tags" : "branches", QUOTE(node->text));
	else
		finding_fix(finding, "write %s, or nothing for all of them", key->format);
	return 0;
}

void report_unknown_event(struct draft *draft, const struct schema_key *key,
			  const struct node *node, const struct node_path *path)
{
	struct runbook_finding *finding = findings_add(draft->findings, node->place, path,
						       "unknown event \"%s\"", QUOTE(node->text));
	const char *meant = finding ? schema_suggest(draft, node->text, SCOPE_ON) : NULL;

	if (meant)
		finding_fix(finding, "did you mean \"%s\"?", meant);
	else
		finding_fix(finding, "write %s", key->format);
}

/* Reads one event by its name, from a text or a list. */
static void event_read(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path)
{
	struct runbook_finding *finding;
	const struct schema_key *event;

	if (node->kind != NODE_TEXT) {
		report_type(draft, "an event", "a word", key->format, node, path);
		return;
	}
	event = schema_key_find(draft, node->text, SCOPE_ON);
	if (!event) {
		report_unknown_event(draft, key, node, path);
		return;
	}
	if (event->read == read_schedule) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"schedule\" does not say when");
		finding_fix(finding, "write on: as a map, with schedule: [{cron: \"30 4 * * *\"}]");
		return;
	}
	((struct runbook_filter *)(void *)((char *)draft->runbook + event->offset))->given = true;
}

/*
 * "push" with tags: as in other CI systems, pushes of these tags; and of no branch, unless
 * branches are given as well.
 */
static void push_split_tags(struct draft *draft, const struct node *node,
			    const struct node_path *path)
{
	struct runbook_filter *push = &draft->runbook->on[RUNBOOK_EVENT_PUSH];
	struct runbook_filter *tag = &draft->runbook->on[RUNBOOK_EVENT_TAG];
	struct node_path push_path = {.parent = path, .key = "push"};
	struct node_path tags_path = {.parent = &push_path, .key = "tags"};

	if (!push->given || push->tags.n_items == 0)
		return;
	if (tag->given) {
		finding_fix(findings_add(draft->findings,
					 node_get(node_get(node, "push"), "tags")->place,
					 &tags_path, "\"tags\" stands in \"push\", beside \"tag\""),
			    "move the patterns to \"on.tag\"");
		return;
	}
	tag->given = true;
	tag->tags = push->tags;
	push->tags = (struct runbook_globs){0};
	push->given = push->branches.n_items > 0;
}

static int on_read_list(struct draft *draft, const struct schema_key *key, const struct node *node,
			const struct node_path *path)
{
	struct runbook_finding *finding;

	if (node->n_items == 0) {
		finding = findings_add(draft->findings, node->place, path, "\"on\" names no event");
		finding_fix(finding, "write %s", key->format);
	}
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path entry = {.parent = path, .index = i};

		event_read(draft, key, node->items[i], &entry);
		for (size_t j = 0; j < i && i < 16; j++) {
			if (node->items[i]->kind != NODE_TEXT ||
			    node->items[j]->kind != NODE_TEXT ||
			    strcmp(node->items[i]->text, node->items[j]->text) != 0)
				continue;
			finding = findings_add(draft->findings, node->items[i]->place, &entry,
					       "the event \"%s\" stands twice",
					       QUOTE(node->items[i]->text));
			finding_fix(finding, "remove one");
			break;
		}
	}
	return 0;
}

int read_on(struct draft *draft, const struct schema_key *key, const struct node *node,
	    const struct node_path *path, void *target)
{
	struct runbook *runbook = draft->runbook;
	int r;

	(void)target;
	runbook->on_given = true;
	for (size_t i = 0; i < RUNBOOK_EVENT_NUM; i++)
		runbook->on[i].given = false;
	switch (node->kind) {
	case NODE_TEXT:
		event_read(draft, key, node, path);
		return 0;
	case NODE_LIST:
		return on_read_list(draft, key, node, path);
	case NODE_MAP:
		break;
	default:
		report_type(draft, SUBJECT(key), "an event, a list or a map of them", key->format,
			    node, path);
		return 0;
	}
	if (node->n_items == 0) {
		finding_fix(
			findings_add(draft->findings, node->place, path, "\"on\" names no event"),
			"write %s", key->format);
		return 0;
	}
	r = schema_read_map(draft, SCOPE_ON, node, path, runbook);
	push_split_tags(draft, node, path);
	return r;
}

/* ---- schedules ---- */

int read_cron(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	char why[160], fix[160];
	struct runbook_finding *finding;
	struct cron cron;

	if (!check_text(draft, key, node, path))
		return 0;
	if (cron_parse(node->text, &cron, why, sizeof(why), fix, sizeof(fix)) == 0)
		return text_store(node, target);
	finding = findings_add(draft->findings, node->place, path, "%s: \"%s\"", why,
			       QUOTE(node->text));
	finding_fix(finding, "%s", fix);
	return 0;
}

int read_timezone(struct draft *draft, const struct schema_key *key, const struct node *node,
		  const struct node_path *path, void *target)
{
	struct runbook_finding *finding;

	if (!check_text(draft, key, node, path))
		return 0;
	if (cron_timezone_valid(node->text))
		return text_store(node, target);
	finding = findings_add(draft->findings, node->place, path,
			       "\"%s\" is not the name of a time zone", QUOTE(node->text));
	finding_fix(finding, "write UTC, or a name such as Europe/Berlin; for a fixed distance "
			     "Etc/GMT-1, which is an hour ahead");
	return 0;
}

int read_branch(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path, void *target)
{
	char ref[REF_NAME_MAX + 1];
	const char *prefix;
	struct runbook_finding *finding;

	if (!check_text(draft, key, node, path))
		return 0;
	(void)snprintf(ref, sizeof(ref), "refs/heads/%s", node->text);
	prefix = ref_prefix(node->text);
	if (!prefix && node->text[0] != '-' && ref_name_valid(ref))
		return text_store(node, target);
	finding = findings_add(draft->findings, node->place, path,
			       "\"%s\" is not the name of a branch", QUOTE(node->text));
	finding_fix(finding,
		    prefix ? "write the name without \"%s\"" : "write one name, no pattern%s",
		    prefix ? prefix : "");
	return 0;
}

/* Reads a map with cron and other keys, or only the five fields. */
static int schedule_read(struct draft *draft, const struct schema_key *key, const struct node *node,
			 const struct node_path *path)
{
	struct runbook *runbook = draft->runbook;
	struct runbook_schedule *schedule = &runbook->schedules[runbook->n_schedules++];

	if (node->kind == NODE_MAP) {
		const struct node *timezone = node_get(node, "timezone");

		if (timezone)
			schedule->timezone_place = timezone->place;
		return schema_read_map(draft, SCOPE_SCHEDULE, node, path, schedule);
	}
	if (node->kind == NODE_TEXT)
		return read_cron(draft, schema_key_find(draft, "cron", SCOPE_SCHEDULE), node, path,
				 &schedule->cron);
	report_type(draft, "a schedule", "a map", "{cron: \"30 4 * * *\"}", node, path);
	(void)key;
	return 0;
}

int read_schedule(struct draft *draft, const struct schema_key *key, const struct node *node,
		  const struct node_path *path, void *target)
{
	struct runbook_filter *filter = target;
	size_t n = node->kind == NODE_LIST ? node->n_items : 1;
	struct runbook_finding *finding;

	filter->given = true;
	if (node->kind != NODE_LIST && node->kind != NODE_TEXT && node->kind != NODE_MAP) {
		report_type(draft, SUBJECT(key), "a list", key->format, node, path);
		return 0;
	}
	if (n == 0 || n > SCHEDULES_MAX) {
		finding = findings_add(draft->findings, node->place, path,
				       n ? "more than 50 schedules" : "no schedule");
		finding_fix(finding, "write %s", n ? key->range : key->format);
		return 0;
	}
	draft->runbook->schedules = calloc(n, sizeof(*draft->runbook->schedules));
	if (!draft->runbook->schedules)
		return -ENOMEM;
	if (node->kind != NODE_LIST)
		return schedule_read(draft, key, node, path);
	draft->runbook->schedules_listed = true;
	for (size_t i = 0; i < n; i++) {
		struct node_path entry = {.parent = path, .index = i};
		int r = schedule_read(draft, key, node->items[i], &entry);

		if (r < 0)
			return r;
	}
	return 0;
}
