/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow_log.h"

#include "cli/log_position.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Streams at a time: the api has a limited number of connections for all clients. */
#define STREAMS_MAX 16
#define RETRY_MS 200
#define FAILING_MAX_MS (CLIENT_RETRY_SEC * 1000)
#define PREFIX_NAME_MAX 24

struct follow_log {
	struct follow_log *next;
	struct follow_logs *owner;
	struct client_stream stream;
	struct log_lines lines;
	char slug[STEP_SLUG_MAX + 1];
	char prefix[160];
	unsigned attempt;
	struct log_position position;
	bool started, ended, done;
	uint64_t retry_ms;
	uint64_t failing_since_ms; /* 0: the stream works */
};

static void make_prefix(struct follow_log *log, const char *name, bool color, size_t index)
{
	static const char *const colors[] = {SGR_CYAN, SGR_GREEN, SGR_YELLOW, SGR_BLUE,
					     SGR_MAGENTA};
	char escaped[256], cut[128];

	text_escape(escaped, sizeof(escaped), name);
	text_cut(cut, sizeof(cut), escaped, PREFIX_NAME_MAX, true);
	(void)snprintf(log->prefix, sizeof(log->prefix), "%s%s |%s ",
		       sgr(color, colors[index % ARRAY_SIZE(colors)]), cut, sgr(color, SGR_RESET));
}

void follow_logs_add(struct follow_logs *logs, const char *slug, const char *name, unsigned attempt)
{
	struct follow_log **end = &logs->list, *log;

	for (; *end; end = &(*end)->next)
		if (strcmp((*end)->slug, slug) == 0 && (*end)->attempt == attempt)
			return;
	log = calloc(1, sizeof(*log));
	if (!log) {
		text_printf(logs->out, "%s: out of memory, its output is not shown\n", slug);
		return;
	}
	(void)snprintf(log->slug, sizeof(log->slug), "%s", slug);
	log->owner = logs;
	log->attempt = attempt;
	log->lines.prefix = log->prefix;
	log->lines.terminal = logs->cli->tty;
	log->lines.filter.color = logs->cli->color;
	log->position.timestamps = logs->timestamps;
	make_prefix(log, name, logs->cli->color, logs->n_seen++);
	*end = log;
}

void follow_logs_step_ended(struct follow_logs *logs, const char *slug, unsigned attempt)
{
	for (struct follow_log *log = logs->list; log; log = log->next)
		if (log->attempt <= attempt && strcmp(log->slug, slug) == 0)
			log->ended = true;
}

static void on_log_bytes(void *user, const char *data, size_t size)
{
	struct follow_log *log = user;

	log->failing_since_ms = 0;
	if (!log->position.started)
		log_position_begin(&log->position,
				   client_stream_header(&log->stream, LOG_CUT_HEADER));
	log_position_count(&log->position, data, size);
	log_lines_feed(&log->lines, data, size, log->owner->out);
}

static void start(struct follow_log *log)
{
	struct follow_logs *logs = log->owner;
	char path[256];

	log->stream.data = on_log_bytes;
	log->stream.user = log;
	log->retry_ms = 0;
	log->position.started = false;
	(void)snprintf(path, sizeof(path),
		       "/api/v1/runs/%" PRIu64 "/steps/%s/log?attempt=%u&follow=1&offset=%" PRIu64
		       "%s",
		       logs->run, log->slug, log->attempt ? log->attempt : 1, log->position.offset,
		       logs->timestamps ? "&timestamps=1" : "");
	if (client_stream_start(logs->cli->client, &log->stream, path, 0) == 0)
		log->started = true;
	else
		log->done = true;
}

static void finish(struct follow_log *log)
{
	log_lines_end(&log->lines, log->owner->out);
	client_stream_stop(&log->stream);
	log->done = true;
}

/* Finish or restart the stream if it has ended. */
static void check_log(struct follow_log *log, uint64_t now, bool run_ended)
{
	struct follow_logs *logs = log->owner;
	long status = log->stream.status;

	if (!log->started || !log->stream.finished)
		return;
	if (log->retry_ms != 0) {
		if (now >= log->retry_ms)
			start(log);
		return;
	}
	client_stream_stop(&log->stream);
	if (status / 100 == 2 && !log->stream.broken) {
		finish(log);
		return;
	}
	/* 404 while the step runs is temporary: its log has not been created yet */
	if (status / 100 == 4 && (status != 404 || log->ended || run_ended)) {
		if (status != 404)
			text_printf(logs->out, "%sno output: HTTP status %ld\n", log->prefix,
				    status);
		finish(log);
		return;
	}
	if (log->failing_since_ms == 0)
		log->failing_since_ms = now;
	if (now - log->failing_since_ms > FAILING_MAX_MS && status != 404) {
		text_printf(logs->out,
			    "%soutput lost with the connection (\"runbookctl logs %" PRIu64
			    " %s\" has it)\n",
			    log->prefix, logs->run, log->slug);
		finish(log);
		return;
	}
	log->retry_ms = now + RETRY_MS;
}

void follow_logs_check(struct follow_logs *logs, uint64_t now_ms, bool run_ended)
{
	size_t active = 0;

	for (struct follow_log *log = logs->list; log; log = log->next) {
		if (log->done)
			continue;
		if (!log->started && active < STREAMS_MAX)
			start(log);
		active += log->started && !log->done;
		check_log(log, now_ms, run_ended);
	}
}

bool follow_logs_pending(const struct follow_logs *logs, const char *slug, unsigned attempt)
{
	for (const struct follow_log *log = logs->list; log; log = log->next)
		if (!log->done && log->attempt == attempt && strcmp(log->slug, slug) == 0)
			return true;
	return false;
}

const char *follow_logs_prefix(const struct follow_logs *logs, const char *slug, unsigned attempt)
{
	for (const struct follow_log *log = logs->list; log; log = log->next)
		if (log->attempt == attempt && strcmp(log->slug, slug) == 0)
			return log->prefix;
	return "";
}

bool follow_logs_busy(const struct follow_logs *logs)
{
	for (const struct follow_log *log = logs->list; log; log = log->next)
		if (!log->done)
			return true;
	return false;
}

void follow_logs_done(struct follow_logs *logs)
{
	while (logs->list) {
		struct follow_log *log = logs->list;

		logs->list = log->next;
		client_stream_stop(&log->stream);
		text_buffer_done(&log->lines.line);
		free(log);
	}
}
