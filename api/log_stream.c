/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: Logs of steps
 *
 * Logs are read straight from the files to which the daemon appends. A log that is not
 * followed has a size: it can be requested in ranges, and when it is final, the kernel
 * copies it (sendfile). A log that is followed ends when its attempt is final and every
 * byte was sent: the daemon syncs the log before it reports the end of the step.
 *
 * Offsets and ranges count all bytes that were printed, also if the log was cut
 * (log_reader.h). An answer that has a line of text in place of the hole has the header
 * "Runbook-Log-Cut: FIRST-LAST/LENGTH" with the bytes that are missing and the length of
 * the text. So a client always knows its offset, from which it can go on after an answer
 * that was cut short. That happens when the hole overtakes a slow client. Ranges are of
 * the log without this text: if a range begins or ends in the hole, the answer has the
 * part outside of it.
 */

#include "api/handlers.h"

#include "api/answer.h"
#include "api/log_reader.h"
#include "api/range.h"
#include "api/run_facts.h"
#include "api/timestamps.h"
#include "common/beneath.h"
#include "common/cleanup.h"

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
	unsigned wanted; /* requested attempt, 0: the latest */
	unsigned attempt;
	int log_fd, index_fd;
	struct log_reader reader;
	bool follow;
	bool stamped;	       /* with timestamps */
	bool final;	       /* nothing will be appended */
	uint64_t removed_usec; /* when retention removed the log; 0: it did not */
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

/* Open a regular file beneath the log directory. Return: fd or -errno. */
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

/* Open the files that exist by now. Return: 0 when the log can be read, -errno otherwise. */
static int log_stream_open(struct log_stream *stream)
{
	if (stream->log_fd < 0 && stream->attempt > 0)
		stream->log_fd = open_part(stream, "log");
	if (stream->log_fd < 0)
		return -ENOENT;
	if (stream->index_fd < 0)
		stream->index_fd = open_part(stream, "idx");
	stream->reader.log_fd = stream->log_fd;
	stream->reader.index_fd = stream->index_fd;
	if (stream->stamped && !stream->timestamps_ready) {
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
	stream->removed_usec = facts->logs_removed_usec;
	if (stream->log_fd < 0)
		stream->attempt = facts->attempt;
}

static void refresh(struct log_stream *stream)
{
	/* once a log is open, the stream stays with its attempt */
	unsigned attempt = stream->log_fd >= 0 ? stream->attempt : stream->wanted;
	struct run_facts facts;
	int status =
		run_facts_ask(stream->api, stream->run, stream->slug, attempt, &facts, NULL, NULL);

	if (status == 200)
		apply_facts(stream, &facts);
	else if (status == 404 || status == 410)
		stream->final = true; /* removed by retention, but open files can still be read */
	stream->refresh_at_usec = now_usec() + REFRESH_USEC;
}

/* Return: whether an event may change the facts of this step. */
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

/* Wait for POLL_USEC or an event of the run, and refresh the facts if necessary. */
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

/* Read the log at the position. @raw is workspace for a log with timestamps. */
static ssize_t read_log(struct log_stream *stream, char *raw, size_t raw_max, char *buffer,
			size_t max)
{
	struct log_reader *reader = &stream->reader;
	size_t written = 0;
	ssize_t n;

	if (!stream->stamped) {
		n = log_reader_log(reader, buffer, max);
		if (n > 0)
			reader->offset += (uint64_t)n;
		return n;
	}
	n = log_reader_log(reader, raw, raw_max);
	if (n > 0)
		reader->offset += timestamps_apply(&stream->timestamps, raw, (size_t)n,
						   reader->offset, buffer, max, &written);
	return n < 0 ? n : (ssize_t)written;
}

/* Read the text of a hole, or the log. Return: bytes in @buffer, 0 at the present end, -errno. */
static ssize_t read_some(struct log_stream *stream, char *buffer, size_t max)
{
	struct log_cut cut;
	char raw[8192];
	size_t text;
	ssize_t n;

	if (log_stream_open(stream) < 0)
		return 0;
	text = log_reader_text(&stream->reader, buffer, max);
	if (text > 0)
		return (ssize_t)text;
	n = read_log(stream, raw, sizeof(raw), buffer, max);
	if (n != 0)
		return n;
	text = log_reader_text(&stream->reader, buffer, max); /* if it came to a hole */
	if (text > 0 && stream->stamped && log_cut_read(stream->index_fd, &cut) == 0)
		timestamps_skip(&stream->timestamps, &cut);
	return (ssize_t)text;
}

static ssize_t log_stream_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
	struct log_stream *stream = userdata;

	for (;;) {
		/* before reading: bytes may be appended until the attempt is final */
		bool last = !stream->follow || stream->final;
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
	    (parse_number(offset, &stream->reader.offset) < 0 ||
	     stream->reader.offset > INT64_MAX)) {
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

static void add_cut(struct MHD_Response *response, const struct log_cut *cut)
{
	char text[LOG_CUT_TEXT_MAX], header[96];

	(void)snprintf(header, sizeof(header), "%llu-%llu/%zu", (unsigned long long)cut->start,
		       (unsigned long long)cut->end - 1, log_cut_text(cut, text));
	if (response)
		(void)MHD_add_response_header(response, "Runbook-Log-Cut", header);
}

/* Answer with the log from the position on, of unknown size. Takes over @stream. */
static void answer_stream(struct http_request *request, struct log_stream *stream)
{
	struct MHD_Response *response;
	struct log_cut cut;
	bool is_cut = log_reader_announce(&stream->reader, &cut);

	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LOG_BLOCK, log_stream_read,
						     stream, log_stream_free);
	if (!response)
		log_stream_free(stream);
	add_type(response);
	if (is_cut)
		add_cut(response, &cut);
	http_answer(request, 200, response);
}

/* Remove the hole from a range. Return: whether anything is left. */
static bool range_clip(const struct log_cut *cut, uint64_t *first, uint64_t *length)
{
	if (*first<cut->start && * first + *length> cut->start)
		*length = cut->start - *first;
	if (*first < cut->start || *first >= cut->end)
		return true;
	if (*first + *length <= cut->end)
		return false;
	*length -= cut->end - *first;
	*first = cut->end;
	return true;
}

/* Answer with @length bytes at the position, none of them in a hole. Takes over @stream. */
static void answer_part(struct http_request *request, struct log_stream *stream, uint64_t length,
			const char *range, const struct log_cut *cut)
{
	uint64_t first = stream->reader.offset;
	struct MHD_Response *response;

	if (stream->final) {
		response = MHD_create_response_from_fd_at_offset64(length, stream->log_fd, first);
		if (response)
			stream->log_fd = -1;
		log_stream_free(stream);
	} else {
		stream->reader.no_text = true; /* end if the log is cut there meanwhile */
		stream->reader.end = first + length;
		response = MHD_create_response_from_callback(length, LOG_BLOCK, log_stream_read,
							     stream, log_stream_free);
		if (!response)
			log_stream_free(stream);
	}
	add_type(response);
	if (response && range[0])
		(void)MHD_add_response_header(response, "Content-Range", range);
	if (cut->end > cut->start)
		add_cut(response, cut);
	http_answer(request, range[0] ? 206 : 200, response);
}

/* Answer with the log up to its present size. Takes over @stream. */
static void answer_file(struct http_request *request, struct log_stream *stream)
{
	const char *header = http_header(request, "Range");
	struct log_cut cut = {.start = 0};
	uint64_t first, length, size;
	enum range_outcome outcome;
	struct stat status;
	char text[96] = "";

	if (fstat(stream->log_fd, &status) < 0) {
		http_answer_error(request, 500, "the log cannot be read: %s", strerror(errno));
		log_stream_free(stream);
		return;
	}
	if (stream->index_fd < 0 || log_cut_read(stream->index_fd, &cut) < 0)
		cut = (struct log_cut){.start = 0};
	size = (uint64_t)status.st_size;
	first = stream->reader.offset < size ? stream->reader.offset : size;
	length = size - first;
	outcome = range_parse(header, size, &first, &length);
	if (outcome == RANGE_UNSATISFIABLE ||
	    (outcome == RANGE_PART && !range_clip(&cut, &first, &length))) {
		answer_unsatisfiable(request, size);
		log_stream_free(stream);
		return;
	}
	if (outcome == RANGE_PART)
		(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu",
			       (unsigned long long)first, (unsigned long long)(first + length - 1),
			       (unsigned long long)size);
	stream->reader.end = size;
	if (!text[0] && cut.end > first) {
		answer_stream(request, stream);
		return;
	}
	stream->reader.offset = first;
	answer_part(request, stream, length, text, &cut);
}

static void answer_log(struct http_request *request, struct log_stream *stream)
{
	if (log_stream_open(stream) < 0 && stream->final && stream->attempt > 0 &&
	    stream->log_fd < 0 && stream->removed_usec) {
		answer_removed(request, "the logs", stream->removed_usec);
		log_stream_free(stream);
		return;
	}
	if (log_stream_open(stream) < 0 && !(stream->follow && !stream->final)) {
		http_answer_error(request, 404, "step %s has no log%s", stream->slug,
				  stream->attempt == 0	? ": it has not been started"
				  : stream->log_fd >= 0 ? " with times"
							: " of this attempt");
		log_stream_free(stream);
		return;
	}
	if (!stream->follow && !stream->stamped)
		answer_file(request, stream);
	else
		answer_stream(request, stream);
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
	stream->reader = (struct log_reader){.log_fd = -1, .index_fd = -1, .end = UINT64_MAX};
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
