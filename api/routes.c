/* SPDX-License-Identifier: Apache-2.0 */
#include "api/routes.h"

#include "api/handlers.h"
#include "api/range.h"
#include "api/upload.h"
#include "common/cleanup.h"
#include "common/image_verb.h"
#include "common/messages/api.h"
#include "common/names.h"

#include <stdio.h>
#include <string.h>

#define V1 "/api/v1"

static const struct route routes[] = {
	{"GET", "/", BODY_NONE, 0, handle_page},
	{"GET", "/runs/{run}", BODY_NONE, 0, handle_page},
	{"GET", "/queue", BODY_NONE, 0, handle_page},
	{"GET", "/ui/app.js", BODY_NONE, 0, handle_script},
	{"GET", "/ui/log.js", BODY_NONE, 0, handle_log_script},
	{"GET", "/ui/style.css", BODY_NONE, 0, handle_style},
	{"GET", "/healthz", BODY_NONE, 0, handle_health},
	{"GET", V1 "/status", BODY_NONE, API_STATUS, handle_query},
	{"GET", V1 "/projects", BODY_NONE, API_PROJECTS, handle_query},
	{"GET", V1 "/projects/{project}", BODY_NONE, API_PROJECT, handle_query},
	{"GET", V1 "/runs", BODY_NONE, API_RUNS, handle_query},
	{"GET", V1 "/runs/{run}", BODY_NONE, API_RUN, handle_query},
	{"GET", V1 "/runs/{run}/runbook", BODY_NONE, API_RUNBOOK, handle_query},
	{"GET", V1 "/runs/{run}/events", BODY_NONE, API_EVENTS, handle_events},
	{"GET", V1 "/runs/{run}/steps/{slug}/log", BODY_NONE, 0, handle_log},
	{"GET", V1 "/runs/{run}/artifacts", BODY_NONE, 0, handle_artifacts},
	{"GET", V1 "/runs/{run}/artifacts/{key}", BODY_NONE, 0, handle_artifact},
	{"PUT", V1 "/runs/{run}/artifacts/{key}", BODY_ARTIFACT, 0, handle_artifact_put},
	{"GET", V1 "/queue", BODY_NONE, API_QUEUE, handle_query},
	{"POST", V1 "/projects/{project}/runs", BODY_JSON, API_RUN_TRIGGER, handle_command},
	{"POST", V1 "/projects/{project}/pause", BODY_JSON, API_PROJECT_PAUSE, handle_command},
	{"POST", V1 "/projects/{project}/unpause", BODY_JSON, API_PROJECT_UNPAUSE, handle_command},
	{"POST", V1 "/runs/{run}/cancel", BODY_JSON, API_RUN_CANCEL, handle_command},
	{"POST", V1 "/runs/{run}/retry", BODY_JSON, API_RUN_RETRY, handle_command},
	{"POST", V1 "/runs/{run}/pin", BODY_JSON, API_RUN_PIN, handle_command},
	{"POST", V1 "/runs/{run}/unpin", BODY_JSON, API_RUN_UNPIN, handle_command},
	{"POST", V1 "/gc", BODY_JSON, API_GC, handle_gc},
	{"POST", V1 "/uploads/runs", BODY_UPLOAD, API_RUN_UPLOAD, upload_run},
	{"GET", V1 "/images", BODY_NONE, IMAGE_LIST, handle_images},
	{"GET", V1 "/images/jobs/{run}", BODY_NONE, IMAGE_JOB, handle_images},
	{"POST", V1 "/images/pull", BODY_JSON, IMAGE_PULL, handle_image_change},
	{"POST", V1 "/images/remove", BODY_JSON, IMAGE_REMOVE, handle_image_change},
	{"POST", V1 "/images/prune", BODY_JSON, IMAGE_PRUNE, handle_image_change},
	{"POST", V1 "/uploads/images", BODY_UPLOAD, IMAGE_IMPORT, upload_image},
	{"GET", V1 "/secrets", BODY_NONE, API_SECRETS, handle_secrets},
	{"GET", V1 "/secrets/key", BODY_NONE, API_SECRET_PUBLIC_KEY, handle_secrets},
	{"POST", V1 "/secrets/rekey", BODY_JSON, API_SECRET_REKEY, handle_secrets},
	{"GET", V1 "/projects/{project}/secrets", BODY_NONE, API_SECRETS, handle_secrets},
	{"POST", V1 "/projects/{project}/secrets", BODY_SECRET, API_SECRET_SET,
	 handle_secret_change},
	{"POST", V1 "/projects/{project}/secrets/remove", BODY_JSON, API_SECRET_REMOVE,
	 handle_secret_change},
	{"POST", V1 "/reload", BODY_JSON, 0, handle_reload},
	{"POST", V1 "/backup", BODY_JSON, API_BACKUP, handle_backup},
};

static bool copy_part(char *out, size_t room, const char *part, size_t length)
{
	if (length == 0 || length >= room)
		return false;
	memcpy(out, part, length);
	out[length] = '\0';
	return true;
}

static bool take_project(struct route_match *match, const char *part, size_t length)
{
	return copy_part(match->project, sizeof(match->project), part, length) &&
	       project_name_valid(match->project);
}

static bool take_run(struct route_match *match, const char *part, size_t length)
{
	char text[20];

	return copy_part(text, sizeof(text), part, length) &&
	       parse_number(text, &match->run) == 0 && match->run > 0;
}

static bool take_slug(struct route_match *match, const char *part, size_t length)
{
	return copy_part(match->slug, sizeof(match->slug), part, length) &&
	       step_slug_valid(match->slug);
}

static bool take_key(struct route_match *match, const char *part, size_t length)
{
	return copy_part(match->key, sizeof(match->key), part, length) &&
	       artifact_key_valid(match->key);
}

static const struct {
	const char *name;
	bool rest; /* matches the rest of the path, including slashes */
	bool (*take)(struct route_match *match, const char *part, size_t length);
} parts[] = {
	{"{project}", false, take_project},
	{"{run}", false, take_run},
	{"{slug}", false, take_slug},
	{"{key}", true, take_key},
};

enum route_outcome route_match(const char *pattern, const char *path, struct route_match *ret_match)
{
	enum route_outcome outcome = ROUTE_FOUND;

	*ret_match = (struct route_match){.run = 0};
	while (*pattern && *path) {
		size_t want = 1 + strcspn(pattern + 1, "/");
		size_t have = 1 + strcspn(path + 1, "/");
		size_t i = 0;

		if (*path != '/')
			return ROUTE_NOT_FOUND;
		while (i < ARRAY_SIZE(parts) && (strlen(parts[i].name) != want - 1 ||
						 memcmp(parts[i].name, pattern + 1, want - 1) != 0))
			i++;
		if (i < ARRAY_SIZE(parts)) {
			if (parts[i].rest)
				have = strlen(path);
			if (!parts[i].take(ret_match, path + 1, have - 1))
				outcome = ROUTE_BAD_NAME; /* unless a later part does not match */
		} else if (want != have || memcmp(pattern, path, want) != 0) {
			return ROUTE_NOT_FOUND;
		}
		pattern += want;
		path += have;
	}
	return *pattern || *path ? ROUTE_NOT_FOUND : outcome;
}

static void add_method(char *list, size_t size, const char *method)
{
	size_t used = strlen(list);

	if (used < size)
		(void)snprintf(list + used, size - used, "%s%s", used ? ", " : "", method);
}

enum route_outcome route_find(const char *method, const char *path, const struct route **ret_route,
			      struct route_match *ret_match, const char **ret_allow)
{
	static _Thread_local char allow[32];
	enum route_outcome result = ROUTE_NOT_FOUND;

	allow[0] = '\0';
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		struct route_match match;
		enum route_outcome outcome = route_match(routes[i].pattern, path, &match);

		if (outcome == ROUTE_NOT_FOUND)
			continue;
		if (strcmp(method, routes[i].method) != 0) {
			add_method(allow, sizeof(allow), routes[i].method);
			*ret_allow = allow;
			if (result == ROUTE_NOT_FOUND)
				result = ROUTE_NOT_METHOD;
			continue;
		}
		if (outcome == ROUTE_FOUND) {
			*ret_route = &routes[i];
			*ret_match = match;
			return ROUTE_FOUND;
		}
		result = ROUTE_BAD_NAME;
	}
	return result;
}
