/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/json.h"

#include "common/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void json_code(struct json *json, const char *key, int64_t code)
{
	if (code >= 0)
		json_number(json, key, (uint64_t)code);
	else
		json_text(json, key, NULL);
}

/* An array with one string for each line of @text. */
static void json_lines(struct json *json, const char *key, const char *text)
{
	json_open(json, key, '[');
	while (text && *text) {
		const char *end = strchrnul(text, '\n');
		cleanup_free char *line = strndup(text, (size_t)(end - text));

		json_text(json, NULL, line);
		text = *end ? end + 1 : end;
	}
	json_close(json, ']');
}

bool run_url(char *out, size_t size, const char *url, uint64_t run)
{
	size_t length = strlen(url);

	if (!length)
		return false;
	(void)snprintf(out, size, "%s%sruns/%" PRIu64, url, url[length - 1] == '/' ? "" : "/", run);
	return true;
}

void json_run_open(struct json *json, const char *key, const struct store_run *row, const char *url)
{
	char text[RUN_URL_MAX];

	json_open(json, key, '{');
	json_number(json, "id", row->id);
	json_text(json, "project", row->project);
	json_text(json, "state", run_state_name(row->state));
	json_text(json, "reason", row->reason);
	json_text(json, "event", row->event);
	json_text(json, "ref", row->ref);
	json_text(json, "commit", row->commit[0] ? row->commit : row->asked);
	json_text(json, "title", row->title);
	json_text(json, "actor", row->actor);
	json_text(json, "name", row->name);
	json_number_or_null(json, "retry_of", row->retry_of);
	json_number_or_null(json, "pull_request", row->pull_request);
	json_text(json, "base_ref", row->base_ref && row->base_ref[0] ? row->base_ref : NULL);
	json_bool(json, "from_fork", row->from_fork);
	json_bool(json, "unwanted", row->unwanted);
	json_number_or_null(json, "superseded_by", row->stop_by);
	json_number(json, "created_usec", row->created_usec);
	json_number_or_null(json, "started_usec", row->started_usec);
	json_number_or_null(json, "ended_usec", row->ended_usec);
	json_number_or_null(json, "pinned_usec", row->pinned_usec);
	json_number_or_null(json, "logs_removed_usec", row->logs_removed_usec);
	json_number_or_null(json, "artifacts_removed_usec", row->artifacts_removed_usec);
	json_text(json, "url", run_url(text, sizeof(text), url, row->id) ? text : NULL);
	json_lines(json, "findings", row->findings);
}

/* Figures that could not be measured are left out; null when there are none at all. */
static void json_usage(struct json *json, const char *key, const struct step_usage *usage)
{
	if (!usage->known) {
		json_text(json, key, NULL);
		return;
	}
	json_open(json, key, '{');
	for (unsigned i = 0; i < STEP_USAGE_NUM; i++) {
		if (step_usage_has(usage, i))
			json_number(json, step_usage_name(i), usage->values[i]);
	}
	json_close(json, '}');
}

static void json_attempt_members(struct json *json, const struct store_attempt *row, bool claimed)
{
	json_text(json, "container", claimed ? row->container : NULL);
	json_code(json, "exit_code", claimed ? row->exit_code : -1);
	json_number_or_null(json, "signal", row->signal);
	json_number_or_null(json, "started_usec", row->started_usec);
	json_number_or_null(json, "ended_usec", row->ended_usec);
	json_number(json, "log_bytes", row->log_bytes);
	json_usage(json, "usage", &row->usage);
}

void json_step_open(struct json *json, const struct store_step *row,
		    const struct store_attempt *attempt)
{
	bool claimed = attempt->order != 0;

	json_open(json, NULL, '{');
	json_number(json, "index", row->index);
	json_text(json, "name", row->name);
	json_text(json, "slug", row->slug);
	json_text(json, "state", step_state_name(row->state));
	json_text(json, "reason", row->reason);
	json_text(json, "image", row->image);
	json_number(json, "attempt", row->attempt);
	json_number(json, "max_attempts", row->max_attempts);
	json_bool(json, "allow_failure", row->allow_failure);
	json_attempt_members(json, attempt, claimed);
}

void json_attempt(struct json *json, const struct store_attempt *row)
{
	json_open(json, NULL, '{');
	json_number(json, "attempt", row->attempt);
	json_text(json, "state", step_state_name(row->state));
	json_text(json, "reason", row->reason);
	json_attempt_members(json, row, true);
	json_close(json, '}');
}

void json_event(struct json *json, const struct store_event *row)
{
	json_open(json, NULL, '{');
	json_number(json, "id", row->id);
	json_number(json, "run", row->run);
	json_text(json, "type", row->step ? "step" : "run");
	json_text(json, "step", row->step);
	json_number_or_null(json, "attempt", row->attempt);
	json_text(json, "from", row->from[0] ? row->from : NULL);
	json_text(json, "to", row->to);
	json_text(json, "reason", row->reason);
	json_number(json, "at_usec", row->at_usec);
	json_close(json, '}');
}
