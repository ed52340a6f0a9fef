/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/json.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	cleanup_free char *escaped = NULL;
	size_t length;

	if (!text)
		return json_null();
	length = strlen(text);
	if (utf8_valid(text, length))
		return json_stringn_nocheck(text, length);
	escaped = malloc(length * 4 + 1);
	if (!escaped)
		return NULL;
	text_escape(escaped, length * 4 + 1, text);
	return json_string(escaped);
}

json_t *json_number_or_null(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *json_code(int64_t code)
{
	return code >= 0 ? json_integer((json_int_t)code) : json_null();
}

static json_t *json_lines(const char *text)
{
	json_t *lines = json_array();

	while (lines && text && *text) {
		const char *end = strchrnul(text, '\n');
		cleanup_free char *line = strndup(text, (size_t)(end - text));

		(void)json_array_append_new(lines, json_text(line));
		text = *end ? end + 1 : end;
	}
	return lines;
}

bool run_url(char *out, size_t size, const char *url, uint64_t run)
{
	size_t length = strlen(url);

	if (!length)
		return false;
	(void)snprintf(out, size, "%s%sruns/%" PRIu64, url, url[length - 1] == '/' ? "" : "/", run);
	return true;
}

static json_t *json_run_url(const struct store_run *row, const char *url)
{
	char text[RUN_URL_MAX];

	return json_text(run_url(text, sizeof(text), url, row->id) ? text : NULL);
}

json_t *json_run(const struct store_run *row, const char *url)
{
	return json_pack(
		"{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}",
		"id", (json_int_t)row->id, "project", json_text(row->project), "state",
		run_state_name(row->state), "reason", json_text(row->reason), "event",
		json_text(row->event), "ref", json_text(row->ref), "commit",
		json_text(row->commit[0] ? row->commit : row->asked), "title",
		json_text(row->title), "actor", json_text(row->actor), "name", json_text(row->name),
		"retry_of", json_number_or_null(row->retry_of), "created_usec",
		(json_int_t)row->created_usec, "started_usec",
		json_number_or_null(row->started_usec), "ended_usec",
		json_number_or_null(row->ended_usec), "url", json_run_url(row, url), "findings",
		json_lines(row->findings));
}

json_t *json_step(const struct store_step *row, const struct store_attempt *attempt)
{
	bool claimed = attempt->order != 0;

	return json_pack("{s:I, s:o, s:o, s:s, s:o, s:[], s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, "
			 "s:[]}",
			 "index", (json_int_t)row->index, "name", json_text(row->name), "slug",
			 json_text(row->slug), "state", step_state_name(row->state), "reason",
			 json_text(row->reason), "depends_on", "attempt", (json_int_t)row->attempt,
			 "exit_code", json_code(claimed ? attempt->exit_code : -1), "signal",
			 json_number_or_null(attempt->signal), "container",
			 json_text(claimed ? attempt->container : NULL), "started_usec",
			 json_number_or_null(attempt->started_usec), "ended_usec",
			 json_number_or_null(attempt->ended_usec), "log_bytes",
			 (json_int_t)attempt->log_bytes, "image", json_text(row->image),
			 "attempts");
}

json_t *json_attempt(const struct store_attempt *row)
{
	return json_pack(
		"{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "attempt", (json_int_t)row->attempt,
		"state", step_state_name(row->state), "reason", json_text(row->reason), "exit_code",
		json_code(row->exit_code), "signal", json_number_or_null(row->signal),
		"started_usec", json_number_or_null(row->started_usec), "ended_usec",
		json_number_or_null(row->ended_usec), "log_bytes", (json_int_t)row->log_bytes);
}

json_t *json_event(const struct store_event *row)
{
	return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:s, s:o, s:I}", "id", (json_int_t)row->id,
			 "run", (json_int_t)row->run, "type", row->step ? "step" : "run", "step",
			 json_text(row->step), "attempt", json_number_or_null(row->attempt), "from",
			 json_text(row->from[0] ? row->from : NULL), "to", row->to, "reason",
			 json_text(row->reason), "at_usec", (json_int_t)row->at_usec);
}

char *json_event_text(const struct store_event *row)
{
	json_t *event = json_event(row);
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;

	json_decref(event);
	return text;
}
