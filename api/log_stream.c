/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: Logs of steps
 *
 * Read straight from the files that the daemon appends to. A log that is not
 * followed is a file with a size: ranges work, the kernel copies. One that is
 * followed ends when its attempt is final and every byte was sent: the daemon
 * syncs the log before it reports the end of the step.
 */

#include "api/handlers.h"
#include "api/range.h"
#include "api/run_facts.h"
#include "api/timestamps.h"
#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_BLOCK (64 * KIB)
#define POLL_USEC (50 * USEC_PER_MSEC)
#define REFRESH_USEC (5 * USEC_PER_SEC)
#define ATTEMPT_MAX 1000000

struct log_stream {
	struct api *api;
	struct MHD_Connection *connection;
	uint64_t run;
	char slug[STEP_SLUG_MAX + 1];
	char project[PROJECT_NAME_MAX + 1];
	unsigned wanted; /* attempt as asked for, 0: the latest */
	unsigned attempt;
	int log_fd, index_fd;
	uint64_t offset;
	bool follow;
	bool stamped; /* with timestamps */
	bool final;   /* nothing will be appended */
	uint64_t cursor;
	uint64_t refresh_at_usec;
	struct timestamps timestamps;
	bool timestamps_ready;
};

static void log_stream_free(void *userdata)
{
	struct log_stream *stream = userdata;

	if (stream->log_fd >= 0)
		(void)close(stream->log_fd);
	if (stream->index_fd >= 0)
		(void)close(stream->index_fd);
	free(stream);
}

/* A regular file beneath the log directory. Return: fd or -errno. */
static int open_part(const struct log_stream *stream, const char *suffix)
{
	char path[PATH_MAX];
	struct stat status;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%llu/%s.%u.%s", stream->project,
		       (unsigned long long)stream->run, stream->slug, stream->attempt, suffix);
	fd = open_beneath(stream->api->log_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			  0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	(void)close(fd);
	return -ENOENT;
}

/* Open what is there by now. Return: 0 when the log is open, -errno otherwise. */
static int log_stream_open(struct log_stream *stream)
{
	if (stream->log_fd < 0 && stream->attempt > 0)
		stream->log_fd = open_part(stream, "log");
	if (stream->log_fd < 0)
		return -ENOENT;
	if (stream->stamped && !stream->timestamps_ready) {
		if (stream->index_fd < 0)
			stream->index_fd = open_part(stream, "idx");
		stream->timestamps_ready =
			stream->index_fd >= 0 &&
			timestamps_init(&stream->timestamps, stream->index_fd) == 0;
		if (!stream->timestamps_ready)
			return -ENOENT;
	}
	return 0;
}

static void apply_facts(struct log_stream *stream, const struct run_facts *facts)
{
	if (!facts->step_found)
		return;
	stream->final = facts->attempt_final;
	if (stream->log_fd < 0)
		stream->attempt = facts->attempt;
}

static void refresh(struct log_stream *stream)
{
	/* once a log is open, its own attempt is what counts */
	unsigned attempt = stream->log_fd >= 0 ? stream->attempt : stream->wanted;
	struct run_facts facts;

	if (run_facts_ask(stream->api, stream->run, stream->slug, attempt, &facts, NULL, NULL) ==
	    200)
		apply_facts(stream, &facts);
	stream->refresh_at_usec = now_usec() + REFRESH_USEC;
}

/* Whether an event may change what is known of this step. */
static bool event_matters(const struct log_stream *stream, const char *json)
{
	json_t *event = json_loads(json, 0, NULL);
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *step = json_string_value(json_object_get(event, "step"));
	const char *to = json_string_value(json_object_get(event, "to"));
	bool matters = type && (strcmp(type, "run") == 0 ? state_is_final(to)
							 : step && strcmp(step, stream->slug) == 0);

	json_decref(event);
	return matters;
}

/* Let some time pass, shorter when something happens to the step. */
static void await_more(struct log_stream *stream)
{
	struct hub_event event = {0};
	enum hub_outcome outcome = hub_next(stream->api->hub, &stream->cursor, stream->run,
					    now_usec() + POLL_USEC, &event);

	if ((outcome == HUB_EVENT && event_matters(stream, event.json)) || outcome == HUB_BEHIND ||
	    now_usec() >= stream->refresh_at_usec)
		refresh(stream);
	if (outcome == HUB_EVENT)
		free(event.json);
}

/* What is in the file beyond the position. Return: bytes in @buffer, 0 for none, -errno. */
static ssize_t read_some(struct log_stream *stream, char *buffer, size_t max)
{
	char raw[8192];
	size_t written, used;
	ssize_t n;

	if (log_stream_open(stream) < 0)
		return 0;
	if (!stream->stamped) {
		n = pread(stream->log_fd, buffer, max, (off_t)stream->offset);
		if (n > 0)
			stream->offset += (uint64_t)n;
		return n < 0 ? -errno : n;
	}
	n = pread(stream->log_fd, raw, sizeof(raw), (off_t)stream->offset);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	used = timestamps_apply(&stream->timestamps, raw, (size_t)n, stream->offset, buffer, max,
				&written);
	stream->offset += used;
	return (ssize_t)written;
}

static ssize_t log_stream_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
	struct log_stream *stream = userdata;

	for (;;) {
		bool last = !stream->follow || stream->final; /* before the look into the file */
		ssize_t n = read_some(stream, buffer, max);

		if (n < 0)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (n > 0)
			return n;
		if (last)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (!http_stream_alive(stream->connection))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		await_more(stream);
	}
}

/* ---- requests ---- */

static bool flag(struct http_request *request, const char *name)
{
	const char *text = http_argument(request, name);

	return text && strcmp(text, "0") != 0 && strcmp(text, "false") != 0;
}

/* Answers and returns false when an argument is malformed. */
static bool parse_arguments(struct http_request *request, struct log_stream *stream)
{
	const char *attempt = http_argument(request, "attempt");
	const char *offset = http_argument(request, "offset");
	uint64_t number = 0;

	if (attempt && *attempt && (parse_number(attempt, &number) < 0 || number > ATTEMPT_MAX)) {
		http_answer_error(request, 400, "attempt= takes a number, 1 is the first");
		return false;
	}
	stream->wanted = (unsigned)number;
	if (offset && *offset &&
	    (parse_number(offset, &stream->offset) < 0 || stream->offset > INT64_MAX)) {
		http_answer_error(request, 400, "offset= takes a number of bytes");
		return false;
	}
	stream->follow = flag(request, "follow");
	stream->stamped = flag(request, "timestamps");
	return true;
}

static void add_type(struct MHD_Response *response)
{
	if (!response)
		return;
	(void)MHD_add_response_header(response, "Content-Type", "application/octet-stream");
	(void)MHD_add_response_header(response, "Accept-Ranges", "bytes");
}

static void answer_unsatisfiable(struct http_request *request, uint64_t size)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	char text[64];

	(void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
	if (response)
		(void)MHD_add_response_header(response, "Content-Range", text);
	http_answer(request, 416, response);
}

/* The log as it is now: a file of a known size. */
static void answer_file(struct http_request *request, struct log_stream *stream)
{
	const char *header = http_header(request, "Range");
	struct MHD_Response *response;
	uint64_t first, length, size;
	struct stat status;
	char text[96] = "";

	if (fstat(stream->log_fd, &status) < 0) {
		http_answer_error(request, 500, "the log cannot be read: %s", strerror(errno));
		return;
	}
	size = (uint64_t)status.st_size;
	first = stream->offset < size ? stream->offset : size;
	length = size - first;
	switch (range_parse(header, size, &first, &length)) {
	case RANGE_UNSATISFIABLE:
		answer_unsatisfiable(request, size);
		return;
	case RANGE_PART:
		(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu",
			       (unsigned long long)first, (unsigned long long)(first + length - 1),
			       (unsigned long long)size);
		break;
	default:
		break;
	}
	response = MHD_create_response_from_fd_at_offset64(length, stream->log_fd, first);
	if (response)
		stream->log_fd = -1;
	add_type(response);
	if (response && text[0])
		(void)MHD_add_response_header(response, "Content-Range", text);
	http_answer(request, text[0] ? 206 : 200, response);
}

static void answer_log(struct http_request *request, struct log_stream *stream)
{
	struct MHD_Response *response;

	if (log_stream_open(stream) < 0 && !(stream->follow && !stream->final)) {
		http_answer_error(request, 404, "step %s has no log%s", stream->slug,
				  stream->attempt == 0	? ": it has not been started"
				  : stream->log_fd >= 0 ? " with times"
							: " of this attempt");
		log_stream_free(stream);
		return;
	}
	if (!stream->follow && !stream->stamped) {
		answer_file(request, stream);
		log_stream_free(stream);
		return;
	}
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LOG_BLOCK, log_stream_read,
						     stream, log_stream_free);
	if (!response)
		log_stream_free(stream);
	add_type(response);
	http_answer(request, 200, response);
}

void handle_log(struct http_request *request)
{
	struct log_stream *stream = calloc(1, sizeof(*stream));
	struct run_facts facts = {0};
	char *text = NULL;
	size_t size = 0;
	int status;

	if (!stream)
		return http_answer(request, 500, NULL);
	stream->api = request->api;
	stream->connection = request->connection;
	stream->run = request->match.run;
	stream->log_fd = stream->index_fd = -1;
	memcpy(stream->slug, request->match.slug, sizeof(stream->slug));
	stream->cursor = hub_cursor(request->api->hub);
	stream->refresh_at_usec = now_usec() + REFRESH_USEC;
	if (!parse_arguments(request, stream))
		return log_stream_free(stream);
	status = run_facts_ask(request->api, stream->run, stream->slug, stream->wanted, &facts,
			       &text, &size);
	if (status == 200 && facts.step_found) {
		memcpy(stream->project, facts.project, sizeof(stream->project));
		apply_facts(stream, &facts);
		answer_log(request, stream);
		return;
	}
	log_stream_free(stream);
	if (status == 200)
		http_answer_error(request, 404, "run %llu has no step %s",
				  (unsigned long long)request->match.run, request->match.slug);
	else if (status < 0)
		http_answer_lost(request, ROLE_SCHEDULER, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
}
