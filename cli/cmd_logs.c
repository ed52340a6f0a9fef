/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl logs: print the output of steps; with -f until they end. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/log_lines.h"
#include "cli/log_note.h"
#include "cli/log_position.h"
#include "cli/report.h"
#include "cli/run_table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define RETRY_MS 200
#define WAIT_MS 1000

/* One log that is copied to standard output. */
struct printer {
	const struct cli *cli;
	struct term_filter filter;
	struct log_lines lines;
	bool prefixed;
	struct log_position position; /* from here a new connection goes on */
	struct client_stream stream;
	int write_error;
	bool progressed;
	bool line_open; /* the last byte was not a newline */
};

static void print_bytes(void *user, const char *data, size_t size)
{
	cleanup_text struct text_buffer out = {0};
	struct printer *printer = user;

	printer->progressed = true;
	if (!printer->position.started)
		log_position_begin(&printer->position,
				   client_stream_header(&printer->stream, LOG_CUT_HEADER));
	log_position_count(&printer->position, data, size);
	printer->line_open = size > 0 && data[size - 1] != '\n';
	if (printer->prefixed)
		log_lines_feed(&printer->lines, data, size, &out);
	else if (printer->cli->tty)
		term_filter_feed(&printer->filter, data, size, &out);
	else if (printer->write_error == 0)
		printer->write_error = fd_write_all(STDOUT_FILENO, data, size);
	if (out.size > 0 && printer->write_error == 0)
		printer->write_error = fd_write_all(STDOUT_FILENO, out.data, out.size);
}

/* Read one connection to its end. Return: HTTP status, 0 when the connection broke. */
static long print_once(struct cli *cli, struct printer *printer, const char *path)
{
	struct client_stream *stream = &printer->stream;
	long status;

	*stream = (struct client_stream){.data = print_bytes, .user = printer};
	printer->position.started = false;
	if (client_stream_start(cli->client, stream, path, 0) < 0)
		return 500;
	while (!stream->finished && printer->write_error == 0)
		(void)client_wait(cli->client, -1, WAIT_MS);
	status = stream->finished && stream->broken ? 0 : stream->status;
	client_stream_stop(stream);
	return status;
}

/* A stream has no body for an error status, so get the date of the removal from the run. */
static enum cli_exit explain_removed(struct cli *cli, uint64_t run, struct error *error)
{
	cleanup_json json_t *whole = NULL;
	enum cli_exit code = run_fetch(cli->client, run, &whole, error);
	char date[32] = "";
	time_t seconds;
	struct tm utc;

	if (code != CLI_OK)
		return code;
	seconds = (time_t)(json_number(whole, "logs_removed_usec") / USEC_PER_SEC);
	if (gmtime_r(&seconds, &utc))
		(void)strftime(date, sizeof(date), " on %Y-%m-%d", &utc);
	(void)error_set(error, EIDRM, "the logs of run %" PRIu64 " were removed by retention%s",
			run, date);
	return CLI_NOT_FOUND;
}

/* Turn the HTTP status of a log into a sentence in @error. Return: the exit code. */
static enum cli_exit explain_status(struct cli *cli, uint64_t run, const json_t *step,
				    uint64_t attempt, long status, struct error *error)
{
	const char *slug = json_text(step, "slug");
	char reason[512];

	if (status == 410)
		return explain_removed(cli, run, error);
	text_escape(reason, sizeof(reason), json_text(step, "reason"));
	if (status == 404 && !json_has(step, "started_usec"))
		(void)error_set(error, ENOENT,
				"step \"%s\" of run %" PRIu64 " has not run, it is %s%s%s", slug,
				run, json_text(step, "state"), *reason ? ": " : "", reason);
	else if (status == 404)
		(void)error_set(error, ENOENT,
				"run %" PRIu64 " has no output of step \"%s\", attempt %" PRIu64,
				run, slug, attempt);
	else if (status == 0 || status == 503)
		(void)error_set(error, EPIPE, "the connection to runbookd broke (try again)");
	else
		(void)error_set(error, EPROTO, "cannot read the log: HTTP status %ld", status);
	return status == 404		      ? CLI_NOT_FOUND
	       : status == 0 || status == 503 ? CLI_UNREACHABLE
					      : CLI_REFUSED;
}

/* Print a log to its end, with a new connection at the same offset whenever one breaks. */
static enum cli_exit print_log(struct cli *cli, uint64_t run, const json_t *step, uint64_t attempt,
			       bool follow, struct printer *printer, struct error *error)
{
	unsigned failures = 0;
	char path[256];
	long status;

	for (;;) {
		(void)snprintf(path, sizeof(path),
			       "/api/v1/runs/%" PRIu64 "/steps/%s/log?attempt=%" PRIu64
			       "&offset=%" PRIu64 "%s%s",
			       run, json_text(step, "slug"), attempt, printer->position.offset,
			       follow ? "&follow=1" : "",
			       printer->position.timestamps ? "&timestamps=1" : "");
		printer->progressed = false;
		status = print_once(cli, printer, path);
		if (printer->write_error < 0) {
			(void)error_errno(error, -printer->write_error, "cannot write the output");
			return CLI_REFUSED;
		}
		if (status / 100 == 2)
			return CLI_OK;
		failures = printer->progressed ? 0 : failures + 1;
		if ((status != 0 && status != 503) || failures > CLIENT_RETRY_SEC * 1000 / RETRY_MS)
			return explain_status(cli, run, step, attempt, status, error);
		(void)usleep(RETRY_MS * 1000);
	}
}

static const json_t *find_attempt(const json_t *step, uint64_t number)
{
	json_t *attempt;
	size_t i;

	json_array_foreach (json_object_get(step, "attempts"), i, attempt) {
		if (json_number(attempt, "attempt") == number)
			return attempt;
	}
	return json_number(step, "attempt") == number ? step : NULL;
}

static void print_note(struct printer *printer, const struct text_buffer *note)
{
	if (note->size > 0 && printer->write_error == 0)
		printer->write_error = fd_write_all(STDOUT_FILENO, note->data, note->size);
}

static void note_start(struct printer *printer, const json_t *step, uint64_t number)
{
	const json_t *attempt = find_attempt(step, number);
	cleanup_text struct text_buffer note = {0};

	if (!attempt || !printer->position.timestamps)
		return;
	log_note_started(&note, printer->lines.prefix, json_number(attempt, "started_usec"),
			 json_text(attempt, "container"));
	print_note(printer, &note);
}

/* @step is from before its output. If it had not ended then, fetch the run again. */
static void note_end(struct cli *cli, struct printer *printer, uint64_t run, const json_t *step,
		     uint64_t number)
{
	const json_t *attempt = find_attempt(step, number);
	cleanup_json json_t *whole = NULL;
	cleanup_text struct text_buffer note = {0};
	struct error error = ERROR_INIT;

	if (!printer->position.timestamps)
		return;
	if (printer->line_open && !printer->prefixed)
		text_puts(&note, "\n");
	if ((!attempt || !json_has(attempt, "ended_usec")) &&
	    run_fetch(cli->client, run, &whole, &error) == CLI_OK) {
		step = run_find_step(whole, json_text(step, "slug"), &error);
		attempt = step ? find_attempt(step, number) : NULL;
	}
	if (!attempt)
		return;
	log_note_ended(&note, printer->lines.prefix, json_number(attempt, "ended_usec"),
		       json_text(attempt, "state"),
		       json_has(attempt, "exit_code") ? (int)json_number(attempt, "exit_code") : -1,
		       json_text(attempt, "reason"));
	print_note(printer, &note);
}

static enum cli_exit print_step(struct cli *cli, uint64_t run, const json_t *step,
				const struct cli_arguments *arguments, bool prefixed,
				struct error *error)
{
	struct printer printer = {.cli = cli};
	const char *attempt_text = cli_value(arguments, "attempt");
	uint64_t attempt = json_number(step, "attempt");
	cleanup_text struct text_buffer rest = {0};
	char escaped[256], prefix[300];
	enum cli_exit code;

	if (attempt_text && cli_run_id(attempt_text, &attempt, error) < 0)
		return CLI_USAGE;
	printer.position.timestamps = cli_flag(arguments, "timestamps");
	/* on a terminal a carriage return would paint over the times */
	printer.prefixed = prefixed || (printer.position.timestamps && cli->tty);
	printer.filter = (struct term_filter){.color = cli->color, .keep_return = true};
	text_escape(escaped, sizeof(escaped), json_text(step, "name"));
	prefix[0] = '\0';
	if (prefixed)
		(void)snprintf(prefix, sizeof(prefix), "%s%s |%s ", sgr(cli->color, SGR_CYAN),
			       escaped, sgr(cli->color, SGR_RESET));
	printer.lines = (struct log_lines){
		.prefix = prefix,
		.terminal = cli->tty,
		/* while following, each state of a progress bar is shown, otherwise the last */
		.collapse = cli->tty && !cli_flag(arguments, "follow"),
		.stamped = printer.position.timestamps,
		.filter = {.color = cli->color, .keep_return = !cli_flag(arguments, "follow")}};
	note_start(&printer, step, attempt);
	code = print_log(cli, run, step, attempt, cli_flag(arguments, "follow"), &printer, error);
	log_lines_end(&printer.lines, &rest);
	if (rest.size > 0)
		(void)fd_write_all(STDOUT_FILENO, rest.data, rest.size);
	if (code == CLI_OK)
		note_end(cli, &printer, run, step, attempt);
	if (cli->color && printer.filter.colored)
		(void)fd_write_all(STDOUT_FILENO, SGR_RESET, strlen(SGR_RESET));
	return code;
}

/* Print the logs of all steps that have run, one after the other, with their names. */
static enum cli_exit print_all(struct cli *cli, uint64_t run, const json_t *whole,
			       const struct cli_arguments *arguments, struct error *error)
{
	size_t i, n_printed = 0, n_removed = 0;
	enum cli_exit code = CLI_OK;
	json_t *step;

	json_array_foreach (json_object_get(whole, "steps"), i, step) {
		if (json_number(step, "attempt") == 0 || !json_has(step, "started_usec"))
			continue;
		code = print_step(cli, run, step, arguments, true, error);
		n_printed += code == CLI_OK;
		n_removed += code == CLI_NOT_FOUND && error->number == EIDRM;
		if (code == CLI_NOT_FOUND) /* it has no log, or retention removed it */
			code = CLI_OK;
		if (code != CLI_OK)
			return code;
	}
	if (n_removed && !n_printed)
		return CLI_NOT_FOUND;
	if (n_removed)
		cli_note("%s, except for those printed here", error->text);
	return CLI_OK;
}

static int run_logs(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *whole = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;
	uint64_t run;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("logs", "%s", error.text);
	if (cli_value(arguments, "attempt") && arguments->n < 2)
		return cli_usage("logs", "--attempt needs a STEP");
	if (arguments->n < 2 && cli_flag(arguments, "follow")) {
		struct follow_options options = {.logs = true,
						 .only_logs = true,
						 .timestamps = cli_flag(arguments, "timestamps")};

		return follow_run(cli, run, &options);
	}
	code = run_fetch(cli->client, run, &whole, &error);
	if (code == CLI_OK && arguments->n < 2) {
		code = print_all(cli, run, whole, arguments, &error);
	} else if (code == CLI_OK) {
		const json_t *step = run_find_step(whole, arguments->list[1], &error);

		code = step ? print_step(cli, run, step, arguments, false, &error) : CLI_NOT_FOUND;
	}
	return code == CLI_OK ? CLI_OK : cli_fail(code, &error);
}

static const struct cli_option options[] = {
	{"follow", 'f', NULL, "continue until the step (or the run) ends"},
	{"timestamps", 't', NULL, "put the time in front of each line; add container and result"},
	{"attempt", 0, "N", "output of this attempt (the last one)"},
	{0},
};

const struct cli_command cmd_logs = {
	.name = "logs",
	.arguments = "RUN [STEP]",
	.n_min = 1,
	.n_max = 2,
	.summary = "print the output of a step",
	.description = "Without STEP, the output of all steps is printed, with the name of the "
		       "step in front of each\nline. To a file or a pipe the bytes are written "
		       "unchanged; on a terminal only text and\ncolours are shown.",
	.options = options,
	.handler = run_logs,
};
