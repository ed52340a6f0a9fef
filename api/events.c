/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: The event stream of a run
 *
 * Server-sent events (WHATWG HTML, 9.2). Past events come in pages from the scheduler,
 * new ones from the hub. The stream gets its cursor in the hub before it requests the
 * first page, and skips events whose id is not above the last one, so no event between
 * the two is lost or sent twice. A stream that falls behind the hub goes back to pages.
 *
 *   PAGE -> (last page) CHECK -> (run goes on) LIVE
 *                             -> (run is final) PAGE -> (last page) END
 *                                                    -> (a retry began) CHECK
 *   LIVE -> (a final state of the run) CHECK, (fell behind) PAGE
 */

#include "api/handlers.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/range.h"
#include "api/run_facts.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/phases.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEARTBEAT_USEC (15 * USEC_PER_SEC)
#define STREAM_BLOCK (16 * KIB)

enum phase { PHASE_PAGE, PHASE_CHECK, PHASE_LIVE, PHASE_END };

struct event_stream {
	struct api *api;
	uint64_t run;
	uint64_t last_id;
	uint64_t cursor;
	enum phase phase;
	bool final; /* the run is final: the stream ends after the last page */
	FILE *out;  /* memory stream into @text */
	char *text;
	size_t size, sent;
};

static void phase_set(struct event_stream *stream, enum phase to)
{
	static const unsigned next[] = {
		[PHASE_PAGE] = PHASE(PHASE_CHECK) | PHASE(PHASE_END),
		/* PAGE: events from before the final state may not have been sent yet */
		[PHASE_CHECK] = PHASE(PHASE_PAGE) | PHASE(PHASE_LIVE) | PHASE(PHASE_END),
		/* PAGE: the hub has dropped events, which the store still has */
		[PHASE_LIVE] = PHASE(PHASE_PAGE) | PHASE(PHASE_CHECK),
		[PHASE_END] = 0,
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), stream->phase, to));
	stream->phase = to;
}

static void stream_free(void *userdata)
{
	struct event_stream *stream = userdata;

	if (stream->out)
		(void)fclose(stream->out);
	free(stream->text);
	free(stream);
}

/* Write one event of the stream. @json has no newline. */
static void put_event(struct event_stream *stream, uint64_t id, const char *json)
{
	(void)fprintf(stream->out, "id: %llu\nevent: state\ndata: %s\n\n", (unsigned long long)id,
		      json);
	stream->last_id = id;
}

/* Return: the new state of the run, or NULL for the event of a step. */
static const char *new_run_state(const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));

	return type && strcmp(type, "run") == 0 ? json_string_value(json_object_get(event, "to"))
						: NULL;
}

static bool event_ends_run(const char *json)
{
	json_t *event = json_loads(json, 0, NULL);
	bool ends = state_is_final(new_run_state(event));

	json_decref(event);
	return ends;
}

/* The scheduler is away: send a comment to keep the connection alive, and wait. */
static void put_waiting(struct event_stream *stream)
{
	const struct timespec pause = {.tv_sec = 1};

	(void)fputs(": waiting\n\n", stream->out);
	(void)nanosleep(&pause, NULL);
}

/* Write a page of past events, or wait a second if the scheduler is away. */
static void fill_page(struct event_stream *stream)
{
	const struct message_api_request question = {
		.verb = API_EVENTS,
		.run = stream->run,
		.page = {.after = stream->last_id, .limit = API_PAGE_MAX}};
	char *text = NULL;
	size_t size, i;
	int status = api_ask(stream->api, &question, &text, &size);
	json_t *page = status == 200 ? json_loadb(text, size, 0, NULL) : NULL;
	json_t *event;

	if (status >= 0)
		free(text);
	if (!page) {
		put_waiting(stream);
		return;
	}
	json_array_foreach (json_object_get(page, "events"), i, event) {
		json_int_t id = json_integer_value(json_object_get(event, "id"));
		char *line = id > 0 ? json_dumps(event, JSON_COMPACT) : NULL;

		if (line && (uint64_t)id > stream->last_id) {
			put_event(stream, (uint64_t)id, line);
			/* the run was retried after the check, so it is not final */
			if (new_run_state(event) && !state_is_final(new_run_state(event)))
				stream->final = false;
		}
		free(line);
	}
	/* an empty page is the last one, even if it has a "next" */
	if (i == 0 || !json_is_integer(json_object_get(page, "next")))
		phase_set(stream, stream->final ? PHASE_END : PHASE_CHECK);
	json_decref(page);
	if (stream->phase == PHASE_END)
		(void)fputs("event: end\ndata: {}\n\n", stream->out);
}

static void fill_check(struct event_stream *stream)
{
	struct run_facts facts;
	int status = run_facts_ask(stream->api, stream->run, NULL, 0, &facts, NULL, NULL);

	if (status == 404 || status == 410) { /* retention removed the run */
		phase_set(stream, PHASE_END);
		(void)fputs("event: end\ndata: {}\n\n", stream->out);
		return;
	}
	if (status != 200) {
		put_waiting(stream);
		return;
	}
	stream->final = facts.run_final;
	phase_set(stream, facts.run_final ? PHASE_PAGE : PHASE_LIVE);
}

static void fill_live(struct event_stream *stream)
{
	struct hub_event event = {0};

	switch (hub_next(stream->api->hub, &stream->cursor, stream->run,
			 now_usec() + HEARTBEAT_USEC, &event)) {
	case HUB_EVENT:
		if (event.id > stream->last_id) {
			put_event(stream, event.id, event.json);
			if (event_ends_run(event.json))
				phase_set(stream, PHASE_CHECK);
		}
		free(event.json);
		break;
	case HUB_BEHIND:
		phase_set(stream, PHASE_PAGE);
		break;
	default:
		(void)fputs(": \n\n", stream->out);
	}
}

static void fill(struct event_stream *stream)
{
	switch (stream->phase) {
	case PHASE_PAGE:
		fill_page(stream);
		break;
	case PHASE_CHECK:
		fill_check(stream);
		break;
	case PHASE_LIVE:
		fill_live(stream);
		break;
	case PHASE_END:
		break;
	}
}

/* Callback of libmicrohttpd: send the rest of @text, and fill it again when all was sent. */
static ssize_t stream_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
	struct event_stream *stream = userdata;
	size_t n;

	while (stream->sent == stream->size) {
		if (stream->phase == PHASE_END && stream->sent > 0 &&
		    stream->size == stream->sent && !stream->out)
			return MHD_CONTENT_READER_END_OF_STREAM;
		free(TAKE_PTR(stream->text));
		stream->size = stream->sent = 0;
		if (stream->phase == PHASE_END)
			return MHD_CONTENT_READER_END_OF_STREAM;
		stream->out = open_memstream(&stream->text, &stream->size);
		if (!stream->out)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		fill(stream);
		if (fclose(TAKE_PTR(stream->out)) != 0)
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	n = stream->size - stream->sent;
	if (n > max)
		n = max;
	memcpy(buffer, stream->text + stream->sent, n);
	stream->sent += n;
	return (ssize_t)n;
}

/* The last event that the client has: the header of a browser that reconnects, or ?after=. */
static bool resume_point(struct http_request *request, uint64_t *ret_id)
{
	const char *text = http_header(request, "Last-Event-ID");

	if (!text || !*text)
		text = http_argument(request, "after");
	*ret_id = 0;
	if (!text || !*text || (parse_number(text, ret_id) == 0 && *ret_id <= INT64_MAX))
		return true;
	http_answer_error(request, 400, "Last-Event-ID and after= take the id of an event");
	return false;
}

void handle_events(struct http_request *request)
{
	const char *format = http_argument(request, "format");
	struct MHD_Response *response;
	struct event_stream *stream;
	char project[PROJECT_NAME_MAX + 1];
	uint64_t last_id;

	if (format && strcmp(format, "json") == 0) {
		handle_query(request);
		return;
	}
	if (!resume_point(request, &last_id) || !run_project(request, project))
		return;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return http_answer(request, 500, NULL);
	stream->api = request->api;
	stream->run = request->match.run;
	stream->last_id = last_id;
	stream->cursor = hub_cursor(request->api->hub);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read,
						     stream, stream_free);
	if (response)
		(void)MHD_add_response_header(response, "Content-Type", "text/event-stream");
	else
		stream_free(stream);
	http_answer(request, 200, response);
}
