/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_facts.h"

#include "api/answer.h"
#include "api/ask.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

bool state_is_final(const char *state)
{
	static const char *const final[] = {"succeeded", "failed",  "errored",
					    "cancelled", "skipped", "removed"};

	for (size_t i = 0; state && i < ARRAY_SIZE(final); i++)
		if (strcmp(state, final[i]) == 0)
			return true;
	return false;
}

static const char *string_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/*
 * The log of an attempt is complete when the attempt has ended, when a later one
 * exists, or when the step or the run is final.
 */
static bool attempt_is_final(json_t *step, unsigned attempt, bool run_final)
{
	json_int_t latest = json_integer_value(json_object_get(step, "attempt"));
	json_t *item;
	size_t i;

	if (latest > (json_int_t)attempt)
		return true;
	json_array_foreach (json_object_get(step, "attempts"), i, item) {
		if (json_integer_value(json_object_get(item, "attempt")) == (json_int_t)attempt &&
		    state_is_final(string_of(item, "state")))
			return true;
	}
	return state_is_final(string_of(step, "state")) || run_final;
}

int run_facts_parse(const char *text, size_t size, const char *slug, unsigned attempt,
		    struct run_facts *ret_facts)
{
	json_t *run = json_loadb(text, size, 0, NULL);
	const char *project = string_of(run, "project");
	struct run_facts facts = {0};
	json_t *step;
	size_t i;

	if (!project || !project_name_valid(project)) {
		json_decref(run);
		return -EPROTO;
	}
	memcpy(facts.project, project, strlen(project) + 1);
	facts.logs_removed_usec =
		(uint64_t)json_integer_value(json_object_get(run, "logs_removed_usec"));
	facts.artifacts_removed_usec =
		(uint64_t)json_integer_value(json_object_get(run, "artifacts_removed_usec"));
	facts.run_final = state_is_final(string_of(run, "state"));
	json_array_foreach (json_object_get(run, "steps"), i, step) {
		const char *found = string_of(step, "slug");
		json_int_t latest = json_integer_value(json_object_get(step, "attempt"));

		if (!slug || !found || strcmp(found, slug) != 0)
			continue;
		facts.step_found = true;
		facts.attempt = attempt ? attempt : (unsigned)(latest > 0 ? latest : 0);
		facts.attempt_final = attempt_is_final(step, facts.attempt, facts.run_final);
	}
	json_decref(run);
	*ret_facts = facts;
	return 0;
}

int run_facts_ask(struct api *api, uint64_t run, const char *slug, unsigned attempt,
		  struct run_facts *ret_facts, char **ret_text, size_t *ret_size)
{
	const struct message_api_request question = {.verb = API_RUN, .run = run};
	char *text;
	size_t size;
	int status = api_ask(api, &question, &text, &size);
	int r;

	if (status < 0)
		return status;
	if (status != 200 && ret_text) {
		*ret_text = text;
		*ret_size = size;
		return status;
	}
	r = status == 200 ? run_facts_parse(text, size, slug, attempt, ret_facts) : 0;
	free(text);
	return r < 0 ? r : status;
}

void answer_removed(struct http_request *request, const char *what, uint64_t usec)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	char date[32] = "an unknown day";
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &utc);
	http_answer_error(request, 410, "%s of run %llu were removed by retention on %s", what,
			  (unsigned long long)request->match.run, date);
}

bool run_project(struct http_request *request, char project[PROJECT_NAME_MAX + 1])
{
	struct run_facts facts;
	char *text = NULL;
	size_t size = 0;
	int status = run_facts_ask(request->api, request->match.run, NULL, 0, &facts, &text, &size);

	if (status == 200) {
		memcpy(project, facts.project, sizeof(facts.project));
		return true;
	}
	if (status < 0)
		http_answer_lost(request, ROLE_SCHEDULER, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
	return false;
}
