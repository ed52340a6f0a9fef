/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema.h"

#include "runbook/report.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- maps ---- */

/* Keys that make "command" unnecessary: they are refused for a better reason already. */
static bool has_resource_key(const struct node *map)
{
	return node_get(map, "get") || node_get(map, "put") || node_get(map, "check");
}

#define KEYS_MAX 128

static void report_missing(struct draft *draft, enum schema_scope scope, const struct node *map,
			   const struct node_path *path, const bool *seen)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);

	for (size_t i = 0; i < n; i++) {
		struct runbook_finding *finding;

		if (!keys[i].required || !(keys[i].scopes & scope) || seen[i])
			continue;
		if (keys[i].read == read_command && has_resource_key(map))
			continue;
		finding = findings_add(draft->findings, map->place, path,
				       "the key \"%s\" is missing", keys[i].name);
		finding_fix(finding, "add \"%s:\" with %s", keys[i].name, keys[i].format);
	}
}

int schema_read_map(struct draft *draft, enum schema_scope scope, const struct node *node,
		    const struct node_path *path, void *target)
{
	bool seen[KEYS_MAX] = {false};
	size_t n_keys, n_spared = 0;
	const struct schema_key *keys = schema_keys(&n_keys);

	assert(n_keys <= KEYS_MAX);
	for (size_t i = 0; i + 1 < node->n_items; i += 2) {
		const struct node *name = node->items[i];
		const struct schema_key *key = schema_key_find(name->text, scope);
		struct node_path value_path = {.parent = path, .key = name->text};
		int r;

		if (!key || !key->read) {
			key = schema_unknown_key(draft, scope, name, &value_path);
			if (key) /* one slip, one finding: the key meant is not missing */
				seen[key - keys] = true;
			/* nobody looked for the one that was meant: it may be any of them */
			n_spared += findings_full(draft->findings);
			continue;
		}
		if (seen[key - keys]) /* a duplicate, reported already */
			continue;
		seen[key - keys] = true;
		r = key->read(draft, key, node->items[i + 1], &value_path,
			      (char *)target + key->offset);
		if (r < 0)
			return r;
	}
	if (n_spared == 0)
		report_missing(draft, scope, node, path, seen);
	return 0;
}

int schema_read_submap(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path, void *target)
{
	if (node->kind == NODE_MAP)
		return schema_read_map(draft, (enum schema_scope)key->inner, node, path, target);
	report_type(draft, SUBJECT(key), "a map", key->format, node, path);
	return 0;
}

int read_global(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path, void *target)
{
	(void)target;
	return schema_read_submap(draft, key, node, path, &draft->defaults);
}

int read_resources(struct draft *draft, const struct schema_key *key, const struct node *node,
		   const struct node_path *path, void *target)
{
	return schema_read_submap(draft, key, node, path, target);
}

/* One speed for both directions, or a map. */
int read_io(struct draft *draft, const struct schema_key *key, const struct node *node,
	    const struct node_path *path, void *target)
{
	struct runbook_resources *resources =
		container_of(target, struct runbook_resources, io_read);
	int r;

	if (node->kind == NODE_MAP || node->kind == NODE_LIST)
		return schema_read_submap(draft, key, node, path, resources);
	r = read_size(draft, key, node, path, &resources->io_read);
	resources->io_write = resources->io_read;
	return r;
}

/* ---- the file ---- */

/* What holds when the file does not say otherwise */
static void root_defaults(struct runbook *runbook)
{
	runbook->concurrency_limit = 1;
	runbook->on[RUNBOOK_EVENT_PUSH].given = true;
	runbook->on[RUNBOOK_EVENT_PULL_REQUEST].given = true;
	runbook->on[RUNBOOK_EVENT_MANUAL].given = true;
}

int schema_read(struct draft *draft, const struct document *document)
{
	const struct node *root = document->root;
	struct runbook_finding *finding;
	int r;

	if (!root || (root->kind == NODE_NULL && root->length == 0)) {
		finding = findings_add(draft->findings, (struct runbook_place){1, 1}, NULL,
				       "the file is empty");
		finding_fix(finding,
			    "write at least one step: steps: [{name: hello, command: echo hi}]");
		return 0;
	}
	if (root->kind != NODE_MAP) {
		report_type(draft, "a runbook", "a map", "\"steps:\" and a list of steps", root,
			    NULL);
		return 0;
	}
	root_defaults(draft->runbook);
	r = schema_read_map(draft, SCOPE_ROOT, root, NULL, draft->runbook);
	if (r < 0)
		return r;
	draft->runbook->env = TAKE_PTR(draft->defaults.env);
	draft->runbook->n_env = draft->defaults.n_env;
	draft->defaults.n_env = 0;
	r = steps_merge_defaults(draft);
	if (r < 0)
		return r;
	steps_check_totals(draft);
	return 0;
}
