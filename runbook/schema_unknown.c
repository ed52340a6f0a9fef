/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Findings about keys that their map does not allow: the intended key, or the right place. */

/* Keys of other CI systems and their equivalents. .advice NULL: "did you mean KEY?" */
static const struct {
	const char *foreign;
	const char *key;
	const char *advice;
} synonyms[] = {
	{"run", "command", NULL},
	{"uses", "command", "write command: there are no ready-made actions"},
	{"secrets", "env", "leave it out: secrets come from the store, by the step's variable ENV"},
	{"with", "env", NULL},
	{"script", "command", NULL},
	{"commands", "command", NULL},
	{"cmd", "command", NULL},
	{"needs", "depends_on", NULL},
	{"dependencies", "depends_on", NULL},
	{"after", "depends_on", NULL},
	{"requires", "depends_on", NULL},
	{"passed", "depends_on", NULL},
	{"environment", "env", NULL},
	{"variables", "env", NULL},
	{"params", "env", NULL},
	{"jobs", "steps", NULL},
	{"tasks", "steps", NULL},
	{"stages", "steps", NULL},
	{"pipeline", "steps", NULL},
	{"container", "image", NULL},
	{"image_resource", "image", NULL},
	{"timeout-minutes", "timeout", NULL},
	{"timeout_in_minutes", "timeout", NULL},
	{"queue-timeout", "queue_timeout", NULL},
	{"ttl", "queue_timeout", NULL},
	{"limits", "resources", NULL},
	{"container_limits", "resources", NULL},
	{"id", "name", NULL},
	{"defaults", "global", NULL},
	{"default", "global", NULL},
	{"trigger", "on", NULL},
	{"triggers", "on", NULL},
	{"only", "on", NULL},
	{"events", "on", NULL},
	{"workflow", "on", NULL},
	{"if", "when",
	 "write when: success, failure or always, or a map of status, branch, "
	 "event and paths"},
	{"rules", "when", "write when: with a map of status, branch, event and paths"},
	{"only", "when", "write when: with a map of status, branch, event and paths"},
	{"except", "when", "write when: with a map of patterns; \"!\" before a pattern excludes"},
	{"condition", "when", NULL},
	{"retry", "attempts", "write attempts: with the number of tries in all, so one more"},
	{"retries", "attempts", "write attempts: with the number of tries in all, so one more"},
	{"max_attempts", "attempts", NULL},
	{"continue-on-error", "allow_failure", NULL},
	{"continue_on_error", "allow_failure", NULL},
	{"soft_fail", "allow_failure", NULL},
	{"ignore_errors", "allow_failure", NULL},
	{"strategy", "matrix", "write matrix: in the step itself, with fail_fast and limit in it"},
	{"parallel", "matrix", NULL},
	{"runs-on", "labels", NULL},
	{"runs_on", "labels", NULL},
	{"tags", "labels", NULL},
	{"agents", "labels", NULL},
	{"node", "labels", NULL},
	{"working-directory", "workdir", NULL},
	{"working_directory", "workdir", NULL},
	{"working_dir", "workdir", NULL},
	{"directory", "workdir", NULL},
	{"dir", "workdir", NULL},
	{"cwd", "workdir", NULL},
	{"run_as", "user", NULL},
	{"resource_group", "concurrency", NULL},
	{"serial", "concurrency", NULL},
	{"serial_groups", "concurrency", NULL},
	{"concurrency_group", "concurrency", NULL},
	{"cancel-in-progress", "cancel_superseded", NULL},
	{"cancel_in_progress", "cancel_superseded", NULL},
	{"auto_cancel", "cancel_superseded", NULL},
	{"max-in-flight", "limit", NULL},
	{"max_in_flight", "limit", NULL},
	{"max-parallel", "limit", NULL},
	{"max_parallel", "limit", NULL},
	{"fail-fast", "fail_fast", NULL},
	{"workflow_dispatch", "manual", NULL},
	{"api", "manual", NULL},
	{"web", "manual", NULL},
	{"merge_request", "pull_request", NULL},
	{"merge_requests", "pull_request", NULL},
	{"merge_request_event", "pull_request", NULL},
	{"pull_requests", "pull_request", NULL},
	{"pull_request_target", "pull_request", NULL},
	{"create", "tag", NULL},
	{"release", "tag", NULL},
	{"tags", "tag", NULL},
	{"cron", "schedule", NULL},
	{"branches-ignore", "branches", "write branches: [\"!PATTERN\"]: \"!\" excludes"},
	{"branches_ignore", "branches", "write branches: [\"!PATTERN\"]: \"!\" excludes"},
	{"tags-ignore", "tags", "write tags: [\"!PATTERN\"]: \"!\" excludes"},
	{"paths-ignore", "paths", "write paths: [\"!PATTERN\"]: \"!\" excludes"},
	{"paths_ignore", "paths", "write paths: [\"!PATTERN\"]: \"!\" excludes"},
	{"branch", "branches", NULL},
	{"branches", "branch", NULL},
	{"ref", "branch", NULL},
	{"ref", "branches", NULL},
	{"ref", "tags", NULL},
	{"tag", "tags", NULL},
	{"path", "paths", NULL},
	{"changes", "paths", NULL},
	{"events", "event", NULL},
	{"tz", "timezone", NULL},
	{"time_zone", "timezone", NULL},
	{"time-zone", "timezone", NULL},
	{"location", "timezone", NULL},
	{"interval", "cron", NULL},
	{"time", "cron", NULL},
	{"cpus", "cpu", NULL},
	{"mem", "memory", NULL},
	{"rbps", "read", NULL},
	{"wbps", "write", NULL},
	{"riops", "read_ops", NULL},
	{"wiops", "write_ops", NULL},
};

static const struct {
	enum schema_scope scope;
	const char *name;
} scope_names[] = {
	{SCOPE_ROOT, "the top level of the file"},
	{SCOPE_GLOBAL, "\"global\""},
	{SCOPE_STEP, "a step"},
	{SCOPE_RESOURCES, "\"resources\""},
	{SCOPE_IO, "\"io\""},
	{SCOPE_ON, "\"on\""},
	{SCOPE_PUSH, "\"on.push\""},
	{SCOPE_PULL_REQUEST, "\"on.pull_request\""},
	{SCOPE_TAG, "\"on.tag\""},
	{SCOPE_SCHEDULE, "\"on.schedule\""},
	{SCOPE_CONCURRENCY, "\"concurrency\""},
	{SCOPE_WHEN, "\"when\""},
	{SCOPE_MATRIX, "\"matrix\""},
	{SCOPE_MANUAL, "\"on.manual\""},
};
static_assert(ARRAY_SIZE(scope_names) == SCHEMA_SCOPES, "every scope has a name");

/* Writes the keys of a scope in this version: "name, command, …" */
static void keys_list(const struct draft *draft, char *out, size_t size, enum schema_scope scope)
{
	const struct schema_key *keys = draft->keys;
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < draft->n_keys && used < size; i++) {
		if (!(keys[i].scopes & scope) || !keys[i].read)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
					 keys[i].name);
	}
}

/* The map that allows a misplaced key; NULL: none */
static const char *right_scope(const struct draft *draft, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
		const struct schema_key *key = schema_key_find(draft, name, scope_names[i].scope);

		if (key && key->read)
			return scope_names[i].name;
	}
	return NULL;
}

static const char *nearest_key(const struct draft *draft, const char *name, enum schema_scope scope)
{
	struct nearest nearest = nearest_start(name);
	const struct schema_key *keys = draft->keys;

	for (size_t i = 0; i < draft->n_keys; i++) {
		if ((keys[i].scopes & scope) && keys[i].read)
			nearest_offer(&nearest, keys[i].name);
	}
	return nearest.best;
}

/* The key of @scope that another system calls @name; NULL: none */
static const struct schema_key *synonym_find(const struct draft *draft, const char *name,
					     enum schema_scope scope, const char **ret_advice)
{
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++) {
		const struct schema_key *key;

		if (strcmp(synonyms[i].foreign, name) != 0)
			continue;
		key = schema_key_find(draft, synonyms[i].key, scope);
		if (!key || !key->read)
			continue;
		*ret_advice = synonyms[i].advice;
		return key;
	}
	return NULL;
}

/* The same in all scopes; also returns the name of the scope */
static const struct schema_key *synonym_elsewhere(const struct draft *draft, const char *name,
						  const char **ret_place)
{
	for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
		const char *advice;
		const struct schema_key *key =
			synonym_find(draft, name, scope_names[i].scope, &advice);

		if (!key)
			continue;
		*ret_place = scope_names[i].name;
		return key;
	}
	return NULL;
}

const char *schema_suggest(const struct draft *draft, const char *name, enum schema_scope scope)
{
	const char *advice;
	const struct schema_key *key = synonym_find(draft, name, scope, &advice);

	return key ? key->name : nearest_key(draft, name, scope);
}

static const struct schema_key *report_unknown(struct draft *draft, enum schema_scope scope,
					       const struct node *name,
					       const struct node_path *path)
{
	struct runbook_finding *finding = findings_add(draft->findings, name->place, path,
						       "unknown key \"%s\"", QUOTE(name->text));
	const char *advice = NULL, *near;
	const struct schema_key *key = synonym_find(draft, name->text, scope, &advice);
	const char *place;
	char list[220];

	near = key ? key->name : nearest_key(draft, name->text, scope);
	keys_list(draft, list, sizeof(list), scope);
	if (advice)
		finding_fix(finding, "%s", advice);
	else if (near)
		finding_fix(finding, "did you mean \"%s\"?", near);
	else if ((key = synonym_elsewhere(draft, name->text, &place)))
		finding_fix(finding, "did you mean \"%s\" at %s?", key->name, place);
	else
		finding_fix(finding, "the keys here are %s", list);
	return near ? schema_key_find(draft, near, scope) : NULL;
}

const struct schema_key *schema_unknown_key(struct draft *draft, enum schema_scope scope,
					    const struct node *name, const struct node_path *path)
{
	struct runbook_finding *finding;
	const char *place, *advice;

	if (findings_full(draft->findings)) { /* findings are only counted: skip the search */
		(void)findings_add(draft->findings, name->place, path, "unknown key");
		return NULL;
	}
	if (schema_key_find(draft, name->text, scope)) {
		finding =
			findings_add(draft->findings, name->place, path,
				     "\"%s\" is not supported by this version", QUOTE(name->text));
		finding_fix(finding, "remove it");
		return NULL;
	}
	place = right_scope(draft, name->text);
	if (!place || synonym_find(draft, name->text, scope, &advice))
		return report_unknown(draft, scope, name, path);
	finding = findings_add(draft->findings, name->place, path, "\"%s\" does not belong here",
			       QUOTE(name->text));
	finding_fix(finding, "move it to %s", place);
	return NULL;
}
