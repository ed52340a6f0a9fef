/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema.h"

#include "runbook/report.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* With one of these keys a missing "command" is not reported: the key is refused already. */
static bool has_resource_key(const struct node *map)
{
	return node_get(map, "get") || node_get(map, "put") || node_get(map, "check");
}

#define KEYS_MAX 128

static void report_missing(struct draft *draft, enum schema_scope scope, const struct node *map,
			   const struct node_path *path, const bool *seen)
{
	const struct schema_key *keys = draft->keys;

	for (size_t i = 0; i < draft->n_keys; i++) {
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
	const struct schema_key *keys = draft->keys;
	size_t n_spared = 0;

	assert(draft->n_keys <= KEYS_MAX);
	for (size_t i = 0; i + 1 < node->n_items; i += 2) {
		const struct node *name = node->items[i];
		const struct schema_key *key = schema_key_find(draft, name->text, scope);
		struct node_path value_path = {.parent = path, .key = name->text};
		int r;

		if (!key || !key->read) {
			key = schema_unknown_key(draft, scope, name, &value_path);
			if (key) /* one mistake, one finding: the intended key is not missing */
				seen[key - keys] = true;
			/* no search for the intended key: it may be any of the missing ones */
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

/* Reads one rate for both directions, or a map. */
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
