/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reading "when" of a step, and "priority" and "concurrency" of runs. */

/* ---- when ---- */

static const struct {
	const char *word;
	unsigned statuses;
} statuses[] = {
	{"success", RUNBOOK_WHEN_SUCCESS},
	{"failure", RUNBOOK_WHEN_FAILURE},
	{"always", RUNBOOK_WHEN_SUCCESS | RUNBOOK_WHEN_FAILURE},
};

/* The same in the words of other CI systems */
static const struct {
	const char *foreign, *word;
} status_synonyms[] = {
	{"on_success", "success"}, {"on_failure", "failure"}, {"succeeded", "success"},
	{"success()", "success"},  {"failed", "failure"},     {"failure()", "failure"},
	{"ok", "success"},	   {"error", "failure"},      {"always()", "always"},
	{"ensure", "always"},	   {"finally", "always"},     {"all", "always"},
};

static void status_read(struct draft *draft, const struct schema_key *key, const struct node *node,
			const struct node_path *path, unsigned *mask)
{
	const char *words[ARRAY_SIZE(statuses)];
	struct runbook_finding *finding;

	if (node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), "a word", key->format, node, path);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		words[i] = statuses[i].word;
		if (strcmp(node->text, statuses[i].word) == 0) {
			*mask |= statuses[i].statuses;
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(status_synonyms); i++) {
		if (strcmp(node->text, status_synonyms[i].foreign) != 0)
			continue;
		finding = findings_add(draft->findings, node->place, path,
				       "unknown condition \"%s\"", QUOTE(node->text));
		finding_fix(finding, "did you mean \"%s\"?", status_synonyms[i].word);
		return;
	}
	report_unknown_word(draft, "condition", words, ARRAY_SIZE(words), key->format, node, path);
}

/* Reads a word or a list of alternatives. @empty: the fix for an empty list. */
static void words_read(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path, unsigned *mask, const char *empty,
		       void (*word_read)(struct draft *draft, const struct schema_key *key,
					 const struct node *node, const struct node_path *path,
					 unsigned *mask))
{
	struct runbook_finding *finding;

	if (node->kind != NODE_LIST) {
		word_read(draft, key, node, path, mask);
		return;
	}
	if (node->n_items == 0) {
		finding = findings_add(draft->findings, node->place, path, "\"%s\" is empty",
				       key->name);
		finding_fix(finding, "write %s%s", key->format, empty);
		return;
	}
	if (node->n_items > key->max) { /* each instance of a matrix would read them */
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" has more than %s entries", key->name, key->range);
		finding_fix(finding, "write each word once");
		return;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path entry = {.parent = path, .index = i};

		word_read(draft, key, node->items[i], &entry, mask);
	}
}

int read_statuses(struct draft *draft, const struct schema_key *key, const struct node *node,
		  const struct node_path *path, void *target)
{
	words_read(draft, key, node, path, target, "", status_read);
	return 0;
}

static void when_event_read(struct draft *draft, const struct schema_key *key,
			    const struct node *node, const struct node_path *path, unsigned *mask)
{
	if (node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), "a word", key->format, node, path);
		return;
	}
	for (unsigned i = 0; i < RUNBOOK_EVENT_NUM; i++) {
		if (strcmp(node->text, runbook_event_name((enum runbook_event)i)) == 0) {
			*mask |= 1U << i;
			return;
		}
	}
	report_unknown_event(draft, key, node, path);
}

int read_events(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path, void *target)
{
	words_read(draft, key, node, path, target, ", or remove the line for any", when_event_read);
	return 0;
}

int read_when(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	struct runbook_when *when = target;

	if (node->kind == NODE_TEXT) {
		status_read(draft, key, node, path, &when->statuses);
		return 0;
	}
	if (node->kind == NODE_MAP && node->n_items == 0) {
		finding_fix(findings_add(draft->findings, node->place, path, "\"when\" is empty"),
			    "write %s", key->format);
		return 0;
	}
	return schema_read_submap(draft, key, node, path, when);
}

/* ---- runs ---- */

int read_priority(struct draft *draft, const struct schema_key *key, const struct node *node,
		  const struct node_path *path, void *target)
{
	struct runbook_finding *finding;
	long long value;
	char *end;

	if (!node_is_scalar(node) || node->kind == NODE_NULL || node->kind == NODE_BOOL) {
		report_type(draft, SUBJECT(key), "a whole number", key->format, node, path);
		return 0;
	}
	errno = 0;
	value = strtoll(node->text, &end, 10);
	if (end == node->text || *end || strchr(" \t\n", node->text[0])) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" must be a whole number, but is \"%s\"", key->name,
				       QUOTE(node->text));
		finding_fix(finding, "write %s", key->format);
		return 0;
	}
	if (errno || value < -(long long)key->max || value > (long long)key->max) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" is out of range: %s", key->name, QUOTE(node->text));
		finding_fix(finding, "write a value from %s", key->range);
		return 0;
	}
	*(int64_t *)target = value;
	return 0;
}

int read_group(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	if (!check_line(draft, key, node, path) || !placeholders_check(draft, node, path))
		return 0;
	return text_store(node, target);
}

/* Reads the name of a group, or a map. */
int read_concurrency(struct draft *draft, const struct schema_key *key, const struct node *node,
		     const struct node_path *path, void *target)
{
	if (node->kind == NODE_TEXT)
		return read_group(draft, key, node, path, target);
	return schema_read_submap(draft, key, node, path, draft->runbook);
}
