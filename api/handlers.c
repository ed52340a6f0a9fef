/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/body.h"
#include "api/range.h"
#include "api/run_facts.h"
#include "common/cleanup.h"
#include "common/messages/host.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_DEFAULT 50

/* Read a number of the query. Answers and returns false when it is malformed or above @max. */
static bool query_number(struct http_request *request, const char *name, uint64_t otherwise,
			 uint64_t max, uint64_t *ret_value)
{
	const char *text = http_argument(request, name);

	*ret_value = otherwise;
	if (!text || !*text)
		return true;
	if (parse_number(text, ret_value) == 0 && *ret_value <= max)
		return true;
	http_answer_error(request, 400, "%s= takes a number of at most %llu", name,
			  (unsigned long long)max);
	return false;
}

void handle_query(struct http_request *request)
{
	const char *project = http_argument(request, "project");
	struct message_api_request question = {.verb = request->route->verb};
	const char *after = question.verb == API_RUNS ? "before" : "after";

	question.project = request->match.project[0] ? request->match.project : project;
	question.run = request->match.run;
	if (question.project && *question.project && !project_name_valid(question.project)) {
		http_answer_error(request, 400, "project= is not a name of a project");
		return;
	}
	if (!query_number(request, after, 0, INT64_MAX, &question.page.after) ||
	    !query_number(request, "limit", PAGE_DEFAULT, API_PAGE_MAX, &question.page.limit))
		return;
	if (question.page.limit == 0)
		question.page.limit = PAGE_DEFAULT;
	http_answer_scheduler(request, &question);
}

/* ---- commands ---- */

void handle_command(struct http_request *request)
{
	struct message_api_request question = {.verb = request->route->verb};
	const char *step = NULL;
	bool failed = false;
	const struct body_field fields[] = {
		{"ref", REF_NAME_MAX, &question.source.ref, NULL},
		{"commit", COMMIT_HEX_MAX, &question.source.commit, NULL},
		{"step", STEP_NAME_MAX, &step, NULL},
		{"failed", 0, NULL, &failed}, /* of API_RUN_RETRY only, so it must be the last */
	};
	json_t *body;

	if (!body_read(request, fields, ARRAY_SIZE(fields) - (question.verb != API_RUN_RETRY),
		       &body))
		return;
	question.project = request->match.project;
	question.run = request->match.run;
	question.cancel.step = step;
	question.retry.step = step;
	question.retry.failed = failed;
	if (question.source.commit && *question.source.commit &&
	    !commit_valid(question.source.commit))
		http_answer_error(request, 400, "\"commit\" takes 40 or 64 hex digits");
	else
		http_answer_scheduler(request, &question);
	json_decref(body);
}

/* With a damaged database the scheduler still answers, but with another status than 200. */
void handle_health(struct http_request *request)
{
	const struct message_api_request question = {.verb = API_STATUS};
	struct MHD_Response *response;
	char *text;
	size_t size;
	int status = api_ask(request->api, &question, &text, &size);
	bool healthy = status == 200;

	if (status >= 0)
		free(text);
	response = MHD_create_response_from_buffer(3, (void *)(healthy ? "ok\n" : "no\n"),
						   MHD_RESPMEM_PERSISTENT);
	if (response)
		(void)MHD_add_response_header(response, "Content-Type", "text/plain");
	http_answer(request, healthy ? 200 : 503, response);
}

void handle_reload(struct http_request *request)
{
	struct peer_reply reply;
	char *text;

	if (!ask_peer(request, ROLE_DAEMON, MESSAGE_NEW(reload, 0), PEER_DEADLINE_USEC, &reply))
		return;
	if (reply.text[0]) {
		http_answer_error(request, 400, "%s", reply.text);
		return;
	}
	text = strdup("{\"reloaded\":true}");
	http_answer_json(request, 200, text, text ? strlen(text) : 0);
}

static void answer_file(struct http_request *request, int fd, const char *type)
{
	struct MHD_Response *response = NULL;
	struct stat status;

	if (fstat(fd, &status) == 0)
		response = MHD_create_response_from_fd64((uint64_t)status.st_size, fd);
	if (response)
		(void)MHD_add_response_header(response, "Content-Type", type);
	else
		(void)close(fd);
	http_answer(request, 200, response);
}

/* The answer is a file. It has everything, so this is a POST, which TCP clients may not send. */
void handle_backup(struct http_request *request)
{
	const struct message_api_request question = {.verb = API_BACKUP};
	struct peer_reply reply;

	if (!ask_peer(request, ROLE_SCHEDULER, question_message(&question), PEER_BACKUP_USEC,
		      &reply))
		return;
	if (reply.status == 200 && reply.fd >= 0)
		answer_file(request, reply.fd, "application/vnd.sqlite3");
	else
		http_answer_reply(request, ROLE_SCHEDULER, &reply);
}

/* The timeout is long, because a pass of retention may have much to remove. */
void handle_gc(struct http_request *request)
{
	struct message_api_request question = {.verb = API_GC};
	const struct body_field fields[] = {{"dry_run", 0, NULL, &question.gc.dry_run}};
	json_t *body;

	if (!body_read(request, fields, ARRAY_SIZE(fields), &body))
		return;
	json_decref(body);
	ask_and_answer(request, ROLE_SCHEDULER, question_message(&question), PEER_BACKUP_USEC);
}
