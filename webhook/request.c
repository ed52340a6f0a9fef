/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/request.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/phases.h"
#include "webhook/forge.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A refused body up to this size is read, so that the connection can be used again. */
#define DISCARD_LENGTH_MAX (64 * KIB)
/* A chunked body has no length in advance: it is read up to this size, then we hang up. */
#define DISCARD_CHUNKED_MAX (2 * WEBHOOK_BODY_MAX)

enum phase {
	PHASE_HEAD,    /* the handler was not called yet */
	PHASE_BODY,    /* the body is being collected */
	PHASE_DISCARD, /* @answer is complete, the rest of the body is discarded */
	PHASE_WAITING, /* suspended; the trigger is with the main thread */
};

struct request {
	struct listener *listener;
	struct connection *connection;
	struct MHD_Connection *http;
	enum phase phase;
	struct request_body framing;
	struct headers headers; /* values in the library's memory, valid as long as the request */
	struct hook_set *hooks;
	const struct hook *hook;
	struct body body;
	size_t discarded;
	struct answer answer;
};

/* Allocated apart, because it is large and most requests of a flood never get this far. */
struct request_trigger {
	struct trigger trigger;
	struct MHD_Connection *http;
	struct request *request;
};

static void phase_set(struct request *request, enum phase to)
{
	static const unsigned next[] = {
		[PHASE_HEAD] = PHASE(PHASE_BODY) | PHASE(PHASE_DISCARD),
		[PHASE_BODY] = PHASE(PHASE_DISCARD) | PHASE(PHASE_WAITING),
		/* request_refuse() sets it again, after request_begin() did */
		[PHASE_DISCARD] = PHASE(PHASE_DISCARD),
		[PHASE_WAITING] = 0,
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), request->phase, to));
	request->phase = to;
}

/* ---- answers ---- */

/* Make the library's response of @answer and queue it. Return: MHD_NO hangs up. */
static enum MHD_Result answer_queue(struct request *request, const struct answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(answer->text), (void *)answer->text, MHD_RESPMEM_MUST_COPY);
	bool close = answer->close || atomic_load(&request->listener->draining);
	char seconds[16];
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	connection_set_state(request->connection, CONNECTION_ANSWER);
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->allow)
		(void)MHD_add_response_header(response, "Allow", answer->allow);
	if (answer->retry_after_sec > 0) {
		(void)snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_sec);
		(void)MHD_add_response_header(response, "Retry-After", seconds);
	}
	if (close)
		(void)MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(request->http, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/*
 * Refusals are logged, so that a wrong secret can be found, but only a few in each
 * window, so that a flood cannot fill the disk.
 */
#define REFUSALS_PER_WINDOW 20
#define REFUSALS_WINDOW_USEC (10 * USEC_PER_SEC)

static void log_refusal(const struct request *request, const struct answer *answer)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t window_usec;
	static unsigned n_logged, n_hidden;
	uint64_t now = now_usec();
	unsigned hidden = 0;
	bool show;

	pthread_mutex_lock(&lock);
	if (now - window_usec >= REFUSALS_WINDOW_USEC) {
		window_usec = now;
		hidden = n_hidden;
		n_logged = n_hidden = 0;
	}
	show = n_logged < REFUSALS_PER_WINDOW;
	if (show)
		n_logged++;
	else
		n_hidden++;
	pthread_mutex_unlock(&lock);
	if (hidden > 0)
		log_notice("%u more deliveries were refused", hidden);
	if (show)
		log_notice("%s%s%srefused with %u: %.*s", request->hook ? "project " : "",
			   request->hook ? request->hook->project : "", request->hook ? ": " : "",
			   answer->status, (int)strcspn(answer->text, "\n"), answer->text);
}

/* @answer is complete: discard the body. */
static void request_refuse(struct request *request)
{
	phase_set(request, PHASE_DISCARD);
	body_release(&request->body, &request->listener->server->bodies);
	if (request->answer.status >= 400)
		log_refusal(request, &request->answer);
}

/* ---- the head ---- */

static enum MHD_Result header_collect(void *cls, enum MHD_ValueKind kind, const char *name,
				      size_t name_size, const char *value, size_t value_size)
{
	struct request *request = cls;

	headers_add(&request->headers, name, value, value ? value_size : 0);
	return MHD_YES;
}

static int health_answer(struct request *request)
{
	if (trigger_queue_up(&request->listener->server->triggers)) {
		answer_literal(&request->answer, 200, "{\"status\":\"ok\"}");
		return 200;
	}
	answer_literal(&request->answer, 503,
		       "{\"status\":\"unavailable\",\"reason\":\"the scheduler is away\"}");
	request->answer.retry_after_sec = 5;
	return 503;
}

/* All checks that need no body. Return: 0 to read the body, or the status of the answer. */
static int head_check(struct request *request, const struct request_line *line)
{
	struct answer *answer = &request->answer;
	const char *project;
	enum route route;
	int status;

	status = headers_check_framing(&request->headers, line, &request->framing, answer);
	if (status == 0)
		status = request_route(line, &route, &project, answer);
	if (status != 0)
		return status;
	if (route == ROUTE_HEALTH)
		return health_answer(request);
	request->hooks = hook_store_get(&request->listener->server->hooks);
	request->hook = hook_set_find(request->hooks, project);
	if (!request->hook) {
		answer_error(answer, 404,
			     "no project \"%.*s\" takes webhooks here; see runbookctl project ls",
			     PROJECT_NAME_MAX, project);
		return 404;
	}
	return headers_check_body(&request->headers, &request->framing, answer);
}

static enum MHD_Result request_begin(struct request *request, const struct request_line *line)
{
	int status;

	request->headers = HEADERS_INIT;
	(void)MHD_get_connection_values_n(request->http, MHD_HEADER_KIND, header_collect, request);
	status = head_check(request, line);
	if (status == 0) {
		phase_set(request, PHASE_BODY);
		return MHD_YES;
	}
	phase_set(request, PHASE_DISCARD);
	if (status >= 400 && request->answer.status != 503)
		request_refuse(request);
	if (!request->answer.close && !request->framing.chunked &&
	    request->framing.length <= DISCARD_LENGTH_MAX)
		return MHD_YES; /* the answer follows the body, the connection stays open */
	/* the library closes the connection after an answer at this point */
	if (request->connection)
		connection_set_linger(request->connection);
	return answer_queue(request, &request->answer);
}

/* ---- the body ---- */

/* Append a part of the body, or discard it if the request was refused. */
static enum MHD_Result request_data(struct request *request, const char *data, size_t *data_size)
{
	struct server *server = request->listener->server;
	size_t size = *data_size;
	int r;

	*data_size = 0; /* all of it counts as consumed in each case below */
	connection_progress(request->connection, size);
	if (request->phase == PHASE_DISCARD) {
		request->discarded += size;
		return request->discarded > DISCARD_CHUNKED_MAX ? MHD_NO : MHD_YES;
	}
	r = body_append(&request->body, &server->bodies, data, size, WEBHOOK_BODY_MAX);
	if (r == 0)
		return MHD_YES;
	if (r == -EFBIG) {
		answer_error(&request->answer, 413, "the body has more than %llu bytes",
			     (unsigned long long)WEBHOOK_BODY_MAX);
		request->answer.close = true;
	} else {
		answer_error(&request->answer, 503,
			     "too many large deliveries at once, deliver again later");
		request->answer.retry_after_sec = 10;
	}
	request_refuse(request);
	return MHD_YES;
}

static void trigger_done(struct trigger *trigger)
{
	struct request_trigger *job = container_of(trigger, struct request_trigger, trigger);
	struct MHD_Connection *http = job->http;

	job->request->answer = trigger->answer;
	free(job);
	/* the request belongs to its HTTP thread as soon as it is resumed */
	MHD_resume_connection(http);
}

/* Suspend the connection and give the delivery to the main thread. */
static enum MHD_Result request_hand_over(struct request *request, struct request_trigger *job)
{
	struct server *server = request->listener->server;

	body_release(&request->body, &server->bodies);
	job->http = request->http;
	job->request = request;
	job->trigger.project = request->hook->project;
	job->trigger.provider = request->hook->forge->name;
	job->trigger.done = trigger_done;
	phase_set(request, PHASE_WAITING);
	if (request->connection)
		connection_set_state(request->connection, CONNECTION_WAITING);
	/* suspend before publishing: the main thread may resume it at once */
	MHD_suspend_connection(request->http);
	trigger_submit(&server->triggers, &job->trigger);
	return MHD_YES;
}

static enum MHD_Result request_finish(struct request *request)
{
	const struct delivery delivery = {
		.hook = request->hook,
		.headers = &request->headers,
		.body = request->body.data ? request->body.data : "",
		.body_size = request->body.size,
		.form = request->framing.form,
		.now_sec = (int64_t)(wall_usec() / USEC_PER_SEC),
	};
	struct request_trigger *job = malloc(sizeof(*job));
	int status;

	if (!job)
		return MHD_NO;
	status = delivery_check(&delivery, &job->trigger.events, &request->answer);
	if (status == 0)
		return request_hand_over(request, job);
	free(job);
	request_refuse(request);
	return answer_queue(request, &request->answer);
}

/* ---- callbacks ---- */

void *request_started(void *cls, const char *uri, struct MHD_Connection *http)
{
	struct request *request = calloc(1, sizeof(*request));
	const union MHD_ConnectionInfo *context;

	if (!request)
		return NULL;
	context = MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	request->listener = cls;
	request->http = http;
	request->connection = context ? context->socket_context : NULL;
	if (request->connection)
		connection_set_state(request->connection, CONNECTION_HEADER);
	return request;
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *http, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *data_size, void **context)
{
	const struct request_line line = {.method = method, .path = url, .version = version};
	struct request *request = *context;

	/* out of memory. A connection that is not in the table would have no deadline. */
	if (!request || !request->connection)
		return MHD_NO;
	if (request->phase == PHASE_HEAD) {
		connection_set_state(request->connection, CONNECTION_BODY);
		return request_begin(request, &line);
	}
	if (*data_size > 0)
		return request_data(request, data, data_size);
	if (request->phase == PHASE_BODY)
		return request_finish(request);
	return answer_queue(request, &request->answer);
}

void request_completed(void *cls, struct MHD_Connection *http, void **context,
		       enum MHD_RequestTerminationCode code)
{
	struct request *request = *context;

	*context = NULL;
	if (!request)
		return;
	body_release(&request->body, &request->listener->server->bodies);
	(void)hook_set_unref(request->hooks);
	if (request->connection)
		connection_set_state(request->connection, CONNECTION_SILENT);
	free(request);
}
