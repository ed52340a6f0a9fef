/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include "cli/client.h"
#include "cli/follow_log.h"
#include "cli/json.h"
#include "cli/log_note.h"
#include "cli/report.h"
#include "cli/run_table.h"
#include "cli/sse.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>

#define TICK_MS 100
#define RECONNECT_MS 100
#define SUMMARY_TAIL_LINES 20
#define HOLD_MAX_MS 3000

struct follow {
	struct cli *cli;
	uint64_t run;
	const struct follow_options *options;
	/* the model */
	char state[16], reason[1024], title[256], project[PROJECT_NAME_MAX + 1];
	uint64_t started_usec, ended_usec;
	struct view_step *steps; /* strings are malloc'ed */
	char **slugs;
	size_t n_steps;
	/* streams */
	struct client_stream events;
	struct sse sse;
	json_t *queue;		/* events that arrived and are not handled yet */
	uint64_t held_since_ms; /* since when the first one waits for output; 0: it does not */
	uint64_t last_event;
	uint64_t broken_since_ms; /* 0: the stream works */
	uint64_t reconnect_ms;	  /* when to reconnect; 0: not at all */
	bool ended;
	struct follow_logs logs;
	/* output */
	struct text_buffer above;
	struct screen screen;
	uint64_t drawn_ms;
	unsigned frame;
	bool live; /* a block is redrawn in place */
	int signal_fd;
	bool cancelled;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool set_string(const char **target, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free((char *)*target);
	*target = copy;
	return true;
}

/* ---- the model ---- */

static ssize_t find_step(const struct follow *follow, const char *slug)
{
	for (size_t i = 0; i < follow->n_steps; i++)
		if (strcmp(follow->slugs[i], slug) == 0)
			return (ssize_t)i;
	return -1;
}

/* Add the steps that the model does not have yet. Return: false when out of memory. */
static bool add_steps(struct follow *follow, const json_t *steps)
{
	bool from_now = follow->options->from_now;
	size_t n = json_array_size(steps), i;
	struct view_step *grown;
	char **slugs;
	json_t *step;

	if (n <= follow->n_steps)
		return true;
	grown = reallocarray(follow->steps, n, sizeof(*grown));
	if (!grown)
		return false;
	follow->steps = grown;
	slugs = reallocarray(follow->slugs, n, sizeof(*slugs));
	if (!slugs)
		return false;
	follow->slugs = slugs;
	json_array_foreach ((json_t *)steps, i, step) {
		struct view_step new = {0};

		if (i < follow->n_steps)
			continue;
		slugs[i] = strdup(json_text(step, "slug"));
		/* the states come from the events, of which all are sent from the first one on */
		if (!slugs[i] || !set_string(&new.name, json_text(step, "name")) ||
		    !set_string(&new.state, from_now ? json_text(step, "state") : "pending") ||
		    !set_string(&new.reason, from_now ? json_text(step, "reason") : "")) {
			free(slugs[i]);
			return false;
		}
		if (from_now) {
			new.started_usec = json_number(step, "started_usec");
			new.ended_usec = json_number(step, "ended_usec");
			new.attempt = (unsigned)json_number(step, "attempt");
		}
		grown[i] = new;
		follow->n_steps = i + 1;
	}
	return true;
}

static enum cli_exit refresh(struct follow *follow, struct error *error)
{
	cleanup_json json_t *run = NULL;
	enum cli_exit code = run_fetch(follow->cli->client, follow->run, &run, error);

	if (code != CLI_OK)
		return code;
	(void)snprintf(follow->title, sizeof(follow->title), "Run %" PRIu64 "  %s%s%s%s%.8s",
		       follow->run, json_text(run, "project"), *json_text(run, "ref") ? "  " : "",
		       ref_short(json_text(run, "ref")), *json_text(run, "commit") ? " " : "",
		       json_text(run, "commit"));
	(void)snprintf(follow->project, sizeof(follow->project), "%s", json_text(run, "project"));
	if (!add_steps(follow, json_object_get(run, "steps"))) {
		(void)error_set(error, ENOMEM, "out of memory");
		return CLI_REFUSED;
	}
	return CLI_OK;
}

static void print_change(struct follow *follow, const char *what, const json_t *event)
{
	const char *from = json_text(event, "from"), *to = json_text(event, "to");
	char name[512], reason[1024];

	if (follow->live || follow->options->only_logs || follow->cli->json)
		return;
	text_escape(name, sizeof(name), what);
	text_escape(reason, sizeof(reason), json_text(event, "reason"));
	text_printf(&follow->above, "%s: %s%s%s%s%s%s\n", name, from, *from ? " -> " : "", to,
		    *reason ? " (" : "", reason, *reason ? ")" : "");
}

static void apply_run_event(struct follow *follow, const json_t *event)
{
	const char *to = json_text(event, "to");
	char what[32];

	(void)snprintf(follow->state, sizeof(follow->state), "%s", to);
	(void)snprintf(follow->reason, sizeof(follow->reason), "%s", json_text(event, "reason"));
	if (strcmp(to, "running") == 0) {
		follow->started_usec = json_number(event, "at_usec");
		follow->ended_usec = 0;
	} else if (state_final(to)) {
		follow->ended_usec = json_number(event, "at_usec");
	}
	(void)snprintf(what, sizeof(what), "run %" PRIu64, follow->run);
	print_change(follow, what, event);
}

/*
 * With timestamps: print the container and the result of an attempt. runbookd(8) describes the
 * names of containers.
 */
static void note_attempt(struct follow *follow, size_t index, const json_t *event)
{
	const char *slug = follow->slugs[index], *to = json_text(event, "to");
	unsigned attempt = (unsigned)json_number(event, "attempt");
	const char *prefix = follow_logs_prefix(&follow->logs, slug, attempt);
	char container[512];

	if (!follow->options->timestamps || !follow->options->only_logs || !*prefix)
		return;
	(void)snprintf(container, sizeof(container), "%s-%" PRIu64 "-%s-%u", follow->project,
		       follow->run, slug, attempt);
	if (strcmp(to, "running") == 0)
		log_note_started(&follow->above, prefix, json_number(event, "at_usec"), container);
	else if (state_final(to))
		log_note_ended(&follow->above, prefix, json_number(event, "at_usec"), to, -1,
			       json_text(event, "reason"));
}

static void apply_step_event(struct follow *follow, size_t index, const json_t *event)
{
	struct view_step *step = &follow->steps[index];
	const char *to = json_text(event, "to");

	(void)set_string(&step->state, to);
	(void)set_string(&step->reason, json_text(event, "reason"));
	if (json_number(event, "attempt") > 0)
		step->attempt = (unsigned)json_number(event, "attempt");
	if (strcmp(to, "running") == 0) {
		step->started_usec = json_number(event, "at_usec");
		step->ended_usec = 0;
		if (follow->options->logs && !follow->cli->json)
			follow_logs_add(&follow->logs, follow->slugs[index], step->name,
					step->attempt);
	} else if (state_final(to)) {
		step->ended_usec = json_number(event, "at_usec");
		follow_logs_step_ended(&follow->logs, follow->slugs[index], step->attempt);
	} else {
		step->started_usec = 0;
		step->ended_usec = 0;
	}
	note_attempt(follow, index, event);
	print_change(follow, step->name, event);
}

/* Apply an event to the model. An unknown step makes it fetch the run, which has new steps then. */
static enum cli_exit apply_event(struct follow *follow, const json_t *event, struct error *error)
{
	bool of_run = strcmp(json_text(event, "type"), "run") == 0;
	uint64_t id = json_number(event, "id");
	enum cli_exit code;
	ssize_t index;

	if (id <= follow->last_event) /* sent again after a reconnection */
		return CLI_OK;
	follow->last_event = id;
	if (follow->cli->json)
		json_print_line(event);
	if (of_run) {
		apply_run_event(follow, event);
		return CLI_OK;
	}
	index = find_step(follow, json_text(event, "step"));
	if (index < 0) {
		code = refresh(follow, error);
		if (code != CLI_OK)
			return code;
		index = find_step(follow, json_text(event, "step"));
	}
	if (index >= 0)
		apply_step_event(follow, (size_t)index, event);
	return CLI_OK;
}

/* ---- the event stream ---- */

static void on_event(void *user, const char *name, const char *id, const char *data)
{
	struct follow *follow = user;
	json_t *event;

	(void)id; /* @data has the same number */
	if (strcmp(name, "end") == 0) {
		follow->ended = true;
		return;
	}
	event = json_loads(data, 0, NULL);
	if (json_is_object(event))
		(void)json_array_append_new(follow->queue, event);
	else
		json_decref(event);
}

static void on_event_bytes(void *user, const char *data, size_t size)
{
	struct follow *follow = user;

	follow->broken_since_ms = 0;
	sse_feed(&follow->sse, data, size);
}

static int start_events(struct follow *follow)
{
	char path[96];

	sse_reset(&follow->sse);
	follow->events.data = on_event_bytes;
	follow->events.user = follow;
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%" PRIu64 "/events?after=%" PRIu64,
		       follow->run, follow->last_event);
	return client_stream_start(follow->cli->client, &follow->events, path, follow->last_event);
}

/* If the event stream has ended before the run, reconnect for CLIENT_RETRY_SEC, then give up. */
static enum cli_exit check_events(struct follow *follow, struct error *error)
{
	uint64_t now = now_ms();

	if (follow->events.finished && follow->reconnect_ms == 0) {
		long status = follow->events.status;

		client_stream_stop(&follow->events);
		if (follow->ended)
			return CLI_OK;
		if (status / 100 == 4) {
			(void)error_set(error, EPROTO,
					"cannot follow run %" PRIu64 ": HTTP status %ld",
					follow->run, status);
			return status == 404 || status == 410 ? CLI_NOT_FOUND : CLI_REFUSED;
		}
		if (follow->broken_since_ms == 0)
			follow->broken_since_ms = now;
		if (now - follow->broken_since_ms > CLIENT_RETRY_SEC * 1000 ||
		    (access(client_socket(follow->cli->client), F_OK) < 0 && errno == ENOENT)) {
			(void)error_set(error, EPIPE,
					"lost the connection to runbookd while run %" PRIu64
					" was %s (when it is back: \"runbookctl show -f %" PRIu64
					"\")",
					follow->run, follow->state, follow->run);
			return CLI_UNREACHABLE;
		}
		follow->reconnect_ms = now + RECONNECT_MS;
	}
	if (follow->reconnect_ms != 0 && now >= follow->reconnect_ms && !follow->ended) {
		follow->reconnect_ms = 0;
		if (start_events(follow) < 0) {
			(void)error_set(error, ENOMEM, "out of memory");
			return CLI_REFUSED;
		}
	}
	return CLI_OK;
}

/* ---- output ---- */

static void terminal_size(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size;

	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_col > 0)
		*ret_columns = size.ws_col;
	if (size.ws_row > 0)
		*ret_rows = size.ws_row;
}

/* Write the lines that are due, and with @block the states. Return: 0 or -errno of write(2). */
static int draw(struct follow *follow, bool block)
{
	cleanup_text struct text_buffer rendered = {0}, frame = {0};
	const struct view view = {.title = follow->title,
				  .state = follow->state,
				  .reason = follow->reason,
				  .started_usec = follow->started_usec,
				  .ended_usec = follow->ended_usec,
				  .steps = follow->steps,
				  .n_steps = follow->n_steps};
	struct view_options options = {.now_usec = wall_usec(),
				       .frame = follow->frame++,
				       .color = follow->cli->color,
				       .utf8 = follow->cli->utf8};
	const char *data = follow->above.data;
	size_t size = follow->above.size;

	(void)fflush(stdout);
	if (follow->live) {
		terminal_size(&options.columns, &options.rows);
		if (block)
			view_render(&view, &options, &rendered);
		screen_frame(&follow->screen, options.columns, size > 0 ? data : NULL,
			     rendered.data, &frame);
		data = frame.data;
		size = frame.size;
	}
	follow->above.size = 0;
	follow->drawn_ms = now_ms();
	return size > 0 && data ? fd_write_all(STDOUT_FILENO, data, size) : 0;
}

static int draw_if_due(struct follow *follow, bool now)
{
	if (follow->live) {
		if (!now && follow->above.size < 65536 && now_ms() - follow->drawn_ms < TICK_MS)
			return 0;
		return draw(follow, true);
	}
	return follow->above.size > 0 ? draw(follow, false) : 0;
}

/* ---- signals ---- */

/* Called after Ctrl-C, or when the output cannot be written. Return: whether to exit now. */
static bool interrupted(struct follow *follow)
{
	struct error error = ERROR_INIT;

	if (!follow->options->cancel_on_interrupt || follow->cancelled)
		return true;
	follow->cancelled = true;
	text_printf(&follow->above,
		    "cancelling run %" PRIu64 " (Ctrl-C again leaves without waiting)\n",
		    follow->run);
	if (client_post_json(follow->cli->client, NULL, false, NULL, &error,
			     "/api/v1/runs/%" PRIu64 "/cancel", follow->run) != CLI_OK) {
		text_printf(&follow->above, "cannot cancel: %s\n", error.text);
		return true;
	}
	return false;
}

/* Return: whether to exit now; *@ret_resized is set when the terminal was resized. */
static bool read_signals(struct follow *follow, bool *ret_resized)
{
	struct signalfd_siginfo info;

	while (read(follow->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			*ret_resized = true;
		else if (interrupted(follow))
			return true;
	}
	return false;
}

static int open_signals(sigset_t *ret_old)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, ret_old);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- the loop ---- */

/*
 * Without a live block, the line "running -> failed" has to follow the step's last line of
 * output, which arrives by another connection. Wait for it, but at most HOLD_MAX_MS.
 */
static bool must_wait_for_output(struct follow *follow, const json_t *event)
{
	const char *slug = json_text(event, "step");
	unsigned attempt = (unsigned)json_number(event, "attempt");

	if (follow->live || !state_final(json_text(event, "to")) ||
	    !follow_logs_pending(&follow->logs, slug, attempt)) {
		follow->held_since_ms = 0;
		return false;
	}
	follow_logs_step_ended(&follow->logs, slug, attempt);
	if (follow->held_since_ms == 0)
		follow->held_since_ms = now_ms();
	return now_ms() - follow->held_since_ms < HOLD_MAX_MS;
}

static enum cli_exit apply_queue(struct follow *follow, struct error *error)
{
	enum cli_exit code = CLI_OK;
	size_t n = json_array_size(follow->queue), done = 0;

	while (done < n && code == CLI_OK) {
		const json_t *event = json_array_get(follow->queue, done);

		if (must_wait_for_output(follow, event))
			break;
		follow->held_since_ms = 0;
		code = apply_event(follow, event, error);
		done++;
	}
	if (done == n)
		(void)json_array_clear(follow->queue);
	for (; done > 0 && done < n; done--)
		(void)json_array_remove(follow->queue, 0);
	return code;
}

static enum cli_exit follow_loop(struct follow *follow, struct error *error)
{
	if (start_events(follow) < 0) {
		(void)error_set(error, ENOMEM, "out of memory");
		return CLI_REFUSED;
	}
	while (!follow->ended || json_array_size(follow->queue) > 0 ||
	       follow_logs_busy(&follow->logs)) {
		bool resized = false;
		enum cli_exit code;

		if (client_wait(follow->cli->client, follow->signal_fd, TICK_MS) > 0 &&
		    read_signals(follow, &resized))
			return CLI_INTERRUPTED;
		code = apply_queue(follow, error);
		if (code == CLI_OK)
			code = check_events(follow, error);
		if (code != CLI_OK)
			return code;
		follow_logs_check(&follow->logs, now_ms(), follow->ended);
		if (draw_if_due(follow, resized) < 0 && interrupted(follow))
			return CLI_INTERRUPTED;
	}
	return CLI_OK;
}

static int summary(struct follow *follow)
{
	cleanup_json json_t *run = NULL;
	struct error error = ERROR_INIT;
	struct cli *cli = follow->cli;
	enum cli_exit code = run_fetch(cli->client, follow->run, &run, &error);
	const char *state;
	uint64_t started, ended;
	char duration[32], reason[2048];

	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print_line(run);
	if (cli->json || follow->options->only_logs)
		return run_exit_code(run);
	if (json_array_size(json_object_get(run, "steps")) > 0)
		(void)putchar('\n');
	run_print_steps(cli, run, false);
	run_print_findings(run);
	run_print_failures(cli, run, SUMMARY_TAIL_LINES);
	state = json_text(run, "state");
	started = json_number(run, "started_usec");
	ended = json_number(run, "ended_usec");
	format_duration(duration, sizeof(duration), ended > started ? ended - started : 0);
	text_escape(reason, sizeof(reason), json_text(run, "reason"));
	(void)printf("\n%sRun %" PRIu64 " %s%s%s%s%s%s\n", sgr(cli->color, state_color(state)),
		     follow->run, state, sgr(cli->color, SGR_RESET), started ? " in " : "",
		     started ? duration : "", *reason ? ": " : "", reason);
	return run_exit_code(run);
}

static void follow_done(struct follow *follow)
{
	client_stream_stop(&follow->events);
	follow_logs_done(&follow->logs);
	sse_done(&follow->sse);
	json_decref(follow->queue);
	for (size_t i = 0; i < follow->n_steps; i++) {
		free((char *)follow->steps[i].name);
		free((char *)follow->steps[i].state);
		free((char *)follow->steps[i].reason);
		free(follow->slugs[i]);
	}
	free(follow->steps);
	free(follow->slugs);
	text_buffer_done(&follow->above);
	if (follow->signal_fd >= 0)
		(void)close(follow->signal_fd);
}

int follow_run(struct cli *cli, uint64_t run, const struct follow_options *options)
{
	struct follow follow = {.cli = cli,
				.run = run,
				.options = options,
				.state = "pending",
				.last_event = options->after};
	struct error error = ERROR_INIT;
	enum cli_exit code;
	sigset_t old;
	int result;

	follow.live = cli->terminal && !cli->json && !options->only_logs;
	follow.sse = (struct sse){.event = on_event, .user = &follow};
	follow.queue = json_array();
	follow.logs = (struct follow_logs){
		.cli = cli, .run = run, .timestamps = options->timestamps, .out = &follow.above};
	follow.signal_fd = open_signals(&old);
	code = refresh(&follow, &error);
	if (code == CLI_OK)
		code = follow_loop(&follow, &error);
	/* erase the block: the summary has the same states */
	(void)draw(&follow, false);
	if (code == CLI_OK) {
		result = summary(&follow);
	} else if (code == CLI_INTERRUPTED) {
		if (!options->cancel_on_interrupt)
			cli_note("run %" PRIu64 " goes on (\"runbookctl show -f %" PRIu64
				 "\" follows it, \"runbookctl cancel %" PRIu64 "\" ends it)",
				 run, run, run);
		result = CLI_INTERRUPTED;
	} else {
		result = cli_fail(code, &error);
	}
	follow_done(&follow);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return result;
}

enum cli_exit follow_last_event(struct cli *cli, uint64_t run, uint64_t *ret_event,
				struct error *error)
{
	uint64_t after = 0, next = 0;

	do {
		cleanup_json json_t *page = NULL;
		const json_t *events;
		enum cli_exit code = client_get_json(cli->client, &page, error,
						     "/api/v1/runs/%" PRIu64
						     "/events?format=json&limit=%d&after=%" PRIu64,
						     run, API_PAGE_MAX, after);

		if (code != CLI_OK)
			return code;
		events = json_object_get(page, "events");
		if (json_array_size(events) > 0)
			after = json_number(json_array_get(events, json_array_size(events) - 1),
					    "id");
		next = json_number(page, "next");
	} while (next > 0);
	*ret_event = after;
	return CLI_OK;
}

int follow_or_print(struct cli *cli, const struct cli_arguments *arguments, uint64_t run,
		    const json_t *answer, const struct follow_options *options)
{
	struct follow_options plain = {.logs = cli_flag(arguments, "logs")};

	if (cli_flag(arguments, "follow"))
		return follow_run(cli, run, options ? options : &plain);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("run %" PRIu64 "\n", run);
	return CLI_OK;
}
