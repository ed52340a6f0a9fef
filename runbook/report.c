/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/report.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool node_is_scalar(const struct node *node)
{
	return node->kind != NODE_LIST && node->kind != NODE_MAP;
}

const struct node *node_get(const struct node *map, const char *name)
{
	for (size_t i = 0; map->kind == NODE_MAP && i + 1 < map->n_items; i += 2) {
		if (strcmp(map->items[i]->text, name) == 0)
			return map->items[i + 1];
	}
	return NULL;
}

struct subject subject_of(const struct schema_key *key)
{
	struct subject subject;

	(void)snprintf(subject.text, sizeof(subject.text), "\"%s\"", key->name);
	return subject;
}

void report_type(struct draft *draft, const char *subject, const char *wanted, const char *format,
		 const struct node *node, const struct node_path *path)
{
	struct runbook_finding *finding;

	if (node->kind == NODE_NULL) {
		finding = findings_add(draft->findings, node->place, path, "%s has no value",
				       subject);
		finding_fix(finding, "write %s, or remove the line", format);
	} else if (node_is_scalar(node)) {
		finding = findings_add(draft->findings, node->place, path,
				       node->kind == NODE_TEXT ? "%s must be %s, but \"%s\" is %s"
							       : "%s must be %s, but %s is %s",
				       subject, wanted, QUOTE(node->text),
				       node_kind_name(node->kind));
		if (strcmp(wanted, "text") == 0)
			finding_fix(finding, "quote it: \"%s\"", QUOTE(node->text));
		else
			finding_fix(finding, "write %s", format);
	} else {
		finding =
			findings_add(draft->findings, node->place, path, "%s must be %s, but is %s",
				     subject, wanted, node_kind_name(node->kind));
		finding_fix(finding, "write %s", format);
	}
}

void report_unknown_word(struct draft *draft, const char *what, const char *const *words,
			 size_t n_words, const char *format, const struct node *node,
			 const struct node_path *path)
{
	struct nearest nearest = nearest_start(node->text);
	struct runbook_finding *finding = findings_add(
		draft->findings, node->place, path, "unknown %s \"%s\"", what, QUOTE(node->text));

	if (!finding)
		return;
	for (size_t i = 0; i < n_words; i++)
		nearest_offer(&nearest, words[i]);
	if (nearest.best)
		finding_fix(finding, "did you mean \"%s\"?", nearest.best);
	else
		finding_fix(finding, "write %s", format);
}

bool check_text(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path)
{
	struct runbook_finding *finding;

	if (node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), "text", key->format, node, path);
		return false;
	}
	if (node->text[strspn(node->text, " \t\r\n")] == '\0') {
		finding = findings_add(draft->findings, node->place, path, "\"%s\" is empty",
				       key->name);
		finding_fix(finding, "write %s", key->format);
		return false;
	}
	if (node->length <= key->max)
		return true;
	finding = findings_add(draft->findings, node->place, path,
			       "\"%s\" has %zu bytes, more than %s", key->name, node->length,
			       key->range);
	finding_fix(finding, "%s", key->too_long ? key->too_long : "shorten it");
	return false;
}

bool check_line(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path)
{
	struct runbook_finding *finding;
	const char *problem;

	if (!check_text(draft, key, node, path))
		return false;
	problem = text_problem(node->text);
	if (!problem)
		return true;
	finding = findings_add(draft->findings, node->place, path, "\"%s\" contains %s: %s",
			       key->name, problem, QUOTE(node->text));
	finding_fix(finding, "write it on one line of printable characters");
	return false;
}

bool check_env_name(struct draft *draft, const struct node *name, const struct node_path *path)
{
	struct runbook_finding *finding;

	if (!env_name_valid(name->text)) {
		finding =
			findings_add(draft->findings, name->place, path,
				     "\"%s\" cannot be the name of a variable", QUOTE(name->text));
		finding_fix(finding, "use letters, digits and _, and begin with no digit");
		return false;
	}
	if (strncmp(name->text, "RUNBOOK_", strlen("RUNBOOK_")) != 0)
		return true;
	finding = findings_add(draft->findings, name->place, path,
			       "\"%s\" is reserved: runbookd sets the variables RUNBOOK_*",
			       QUOTE(name->text));
	finding_fix(finding, "choose another name");
	return false;
}

int text_store(const struct node *node, void *target)
{
	char *copy = strdup(node->text);

	if (!copy)
		return -ENOMEM;
	*(char **)target = copy;
	return 0;
}
