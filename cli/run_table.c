/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_table.h"

#include "cli/json.h"
#include "cli/log_tail.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* bytes at the end of a log that are read for its last lines */
#define TAIL_BYTES (32UL * 1024) /* at first; more when the lines are long */
#define TAIL_BYTES_MAX (16UL * 1024 * 1024)

const char *ref_short(const char *ref)
{
	static const char *const prefixes[] = {"refs/heads/", "refs/tags/"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(ref, prefixes[i], strlen(prefixes[i])) == 0)
			return ref + strlen(prefixes[i]);
	return ref;
}

enum cli_exit run_fetch(struct client *client, uint64_t run, json_t **ret_run, struct error *error)
{
	return client_get_json(client, ret_run, error, "/api/v1/runs/%" PRIu64, run);
}

json_t *run_find_step(const json_t *run, const char *name, struct error *error)
{
	static const char *const keys[] = {"slug", "name"};
	cleanup_text struct text_buffer known = {0};
	json_t *step;
	size_t i;

	for (size_t key = 0; key < ARRAY_SIZE(keys); key++)
		json_array_foreach (json_object_get(run, "steps"), i, step)
			if (strcmp(json_text(step, keys[key]), name) == 0)
				return step;
	json_array_foreach (json_object_get(run, "steps"), i, step)
		if (i < 10)
			text_printf(&known, "%s%s", i ? ", " : "", json_text(step, "slug"));
	(void)error_set(error, ENOENT, "run %" PRIu64 " has no step \"%s\" (its steps: %s%s)",
			json_number(run, "id"), name, known.data ? known.data : "none yet",
			json_array_size(json_object_get(run, "steps")) > 10 ? ", …" : "");
	return NULL;
}

static void print_field(const struct cli *cli, const char *label, const char *value)
{
	char escaped[2048];

	if (!*value)
		return;
	text_escape(escaped, sizeof(escaped), value);
	(void)printf("  %s%-10s%s %s\n", sgr(cli->color, SGR_DIM), label,
		     sgr(cli->color, SGR_RESET), escaped);
}

/* Duration of a run, step or attempt, until now if it has not ended. */
static void duration_of(char *out, size_t size, const json_t *object)
{
	uint64_t started = json_number(object, "started_usec");
	uint64_t ended = json_number(object, "ended_usec");

	out[0] = '\0';
	if (started == 0)
		return;
	if (ended == 0)
		ended = wall_usec();
	format_duration(out, size, ended > started ? ended - started : 0);
}

static void print_retention(const struct cli *cli, const json_t *run)
{
	static const struct {
		const char *key, *label;
	} fields[] = {
		{"pinned_usec", "pinned"},
		{"logs_removed_usec", "logs removed"},
		{"artifacts_removed_usec", "artifacts removed"},
	};
	char age[64];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!json_has(run, fields[i].key))
			continue;
		format_age(age, sizeof(age), wall_usec(), json_number(run, fields[i].key));
		print_field(cli, fields[i].label, age);
	}
}

void run_print_header(const struct cli *cli, const json_t *run)
{
	const char *state = json_text(run, "state");
	char text[256], age[64];

	(void)printf("%sRun %" PRIu64 "%s  %s  %s%s %s%s\n", sgr(cli->color, SGR_BOLD),
		     json_number(run, "id"), sgr(cli->color, SGR_RESET), json_text(run, "project"),
		     sgr(cli->color, state_color(state)), state_glyph(state, cli->utf8), state,
		     sgr(cli->color, SGR_RESET));
	print_field(cli, "reason", json_text(run, "reason"));
	print_field(cli, "name", json_text(run, "name"));
	print_field(cli, "title", json_text(run, "title"));
	print_field(cli, "event", json_text(run, "event"));
	if (json_has(run, "pull_request")) {
		(void)snprintf(
			text, sizeof(text), "%" PRIu64 " into %s%s",
			json_number(run, "pull_request"), ref_short(json_text(run, "base_ref")),
			json_is_true(json_object_get(run, "from_fork")) ? ", from a fork" : "");
		print_field(cli, "request", text);
	}
	print_field(cli, "ref", ref_short(json_text(run, "ref")));
	print_field(cli, "commit", json_text(run, "commit"));
	print_field(cli, "actor", json_text(run, "actor"));
	if (json_has(run, "retry_of")) {
		(void)snprintf(text, sizeof(text), "run %" PRIu64, json_number(run, "retry_of"));
		print_field(cli, "retry of", text);
	}
	if (json_has(run, "created_usec")) {
		format_age(age, sizeof(age), wall_usec(), json_number(run, "created_usec"));
		print_field(cli, "created", age);
	}
	duration_of(text, sizeof(text), run);
	print_field(cli, "took", text);
	print_retention(cli, run);
	print_field(cli, "page", json_text(run, "url"));
}

/* Does a step in this state have an attempt whose number is worth printing? */
static bool has_run(const char *state)
{
	return strcmp(state, "pending") != 0 && strcmp(state, "ready") != 0 &&
	       strcmp(state, "skipped") != 0;
}

static bool usage_number(const json_t *usage, const char *key, uint64_t *ret_number)
{
	if (!json_has(usage, key))
		return false;
	*ret_number = json_number(usage, key);
	return true;
}

/* "cpu 12.3s  peak 84.1M  io 12.0M/3.0M", without values that the host could not measure. */
static void usage_of(char *out, size_t size, const json_t *step)
{
	const json_t *usage = json_object_get(step, "usage");
	cleanup_text struct text_buffer text = {0};
	uint64_t number, written;
	char amount[32], other[32];

	if (usage_number(usage, "cpu_usec", &number)) {
		format_duration(amount, sizeof(amount), number);
		text_printf(&text, "cpu %s", amount);
	}
	if (usage_number(usage, "memory_peak", &number)) {
		format_amount(amount, sizeof(amount), number);
		text_printf(&text, "%speak %s", text.data ? "  " : "", amount);
	} else if (usage_number(usage, "process_peak", &number)) {
		format_amount(amount, sizeof(amount), number);
		text_printf(&text, "%slargest process %s", text.data ? "  " : "", amount);
	}
	if (usage_number(usage, "io_read", &number) && usage_number(usage, "io_write", &written)) {
		format_amount(amount, sizeof(amount), number);
		format_amount(other, sizeof(other), written);
		text_printf(&text, "%sio %s/%s", text.data ? "  " : "", amount, other);
	}
	(void)snprintf(out, size, "%s", text.data ? text.data : "");
}

/* "failed (allowed)": the run does not fail with it. */
static void state_words(char *out, size_t size, const json_t *step)
{
	const char *state = json_text(step, "state");
	bool allowed = json_is_true(json_object_get(step, "allow_failure")) &&
		       (strcmp(state, "failed") == 0 || strcmp(state, "errored") == 0);

	(void)snprintf(out, size, "%s%s", state, allowed ? " (allowed)" : "");
}

/* "exit code 3 [web-42-test-1]", "[web-42-build-1, exit code 0]" */
static void reason_of(char *out, size_t size, const json_t *object, bool container)
{
	const char *reason = json_text(object, "reason"), *name = json_text(object, "container");
	char code[48] = "";

	if (!container || !*name || !json_has(object, "started_usec")) {
		(void)snprintf(out, size, "%s", reason);
		return;
	}
	if (json_has(object, "exit_code"))
		(void)snprintf(code, sizeof(code), "exit code %" PRIu64,
			       json_number(object, "exit_code"));
	(void)snprintf(out, size, "%s%s[%s%s%s]", reason, *reason ? " " : "", name,
		       *code && strcmp(code, reason) != 0 ? ", " : "",
		       strcmp(code, reason) != 0 ? code : "");
}

/* struct columns - which of the optional columns a table has */
struct columns {
	bool used, containers;
};

/* @object: a step, or one of its attempts. */
static void print_attempt(const struct cli *cli, struct table *table, const json_t *object,
			  const char *name, const struct columns *columns)
{
	const char *state = json_text(object, "state");
	char duration[32], usage[128], words[64], reason[2048];

	duration_of(duration, sizeof(duration), object);
	usage_of(usage, sizeof(usage), object);
	state_words(words, sizeof(words), object);
	table_row(table);
	table_cell(table, 0, state_glyph(state, cli->utf8));
	table_cell_color(table, 0, state_color(state));
	table_cell(table, 1, name);
	table_cell(table, 2, words);
	table_cell_color(table, 2, state_color(state));
	table_cell(table, 3, duration);
	if (has_run(state))
		table_cellf(table, 4, "%" PRIu64, json_number(object, "attempt"));
	if (columns->used)
		table_cell(table, 5, usage);
	reason_of(reason, sizeof(reason), object, columns->containers);
	table_cell(table, table->n_columns - 1, reason);
}

/* Print the attempts before the latest, which is in the line of the step. */
static void print_earlier(const struct cli *cli, struct table *table, const json_t *step,
			  const struct columns *columns)
{
	json_t *attempt;
	char name[48];
	size_t i;

	json_array_foreach (json_object_get(step, "attempts"), i, attempt) {
		uint64_t number = json_number(attempt, "attempt");

		if (number >= json_number(step, "attempt"))
			continue;
		(void)snprintf(name, sizeof(name), "  attempt %" PRIu64, number);
		print_attempt(cli, table, attempt, name, columns);
	}
}

void run_print_steps(const struct cli *cli, const json_t *run, bool containers)
{
	cleanup_table struct table table = {
		.headings = {"", "STEP", "STATE", "TIME", "TRY", "REASON"}, .n_columns = 6};
	struct columns columns = {.containers = containers};
	json_t *step;
	size_t i;

	if (json_array_size(json_object_get(run, "steps")) == 0)
		return;
	/* no attempt has a usage before it has ended */
	json_array_foreach (json_object_get(run, "steps"), i, step)
		columns.used = columns.used || json_has(step, "usage");
	if (columns.used) {
		table.headings[table.n_columns - 1] = "USED";
		table.headings[table.n_columns++] = "REASON";
	}
	json_array_foreach (json_object_get(run, "steps"), i, step) {
		print_attempt(cli, &table, step, json_text(step, "name"), &columns);
		print_earlier(cli, &table, step, &columns);
	}
	(void)table_print(&table, stdout, cli->color);
}

/*
 * Read the end of a log, and more of it until it has @lines lines: a progress bar may have
 * written a very long one. Return: whether there is a log; otherwise the reason was printed.
 */
static bool read_tail(struct cli *cli, const json_t *run, const json_t *step, unsigned lines,
		      struct client_answer *answer)
{
	uint64_t size = json_number(step, "log_bytes");
	struct error error = ERROR_INIT;
	char path[256], range[64];

	(void)snprintf(path, sizeof(path), "/api/v1/runs/%" PRIu64 "/steps/%s/log?attempt=%" PRIu64,
		       json_number(run, "id"), json_text(step, "slug"),
		       json_number(step, "attempt"));
	for (uint64_t part = TAIL_BYTES; size > 0; part *= 8) {
		struct client_request request = {.path = path, .range = range};

		(void)snprintf(range, sizeof(range), "%" PRIu64 "-", size > part ? size - part : 0);
		client_answer_done(answer);
		if (client_call(cli->client, &request, answer, &error) != CLI_OK) {
			(void)printf("  (no log: %s)\n", error.text);
			return false;
		}
		if (part >= size || part >= TAIL_BYTES_MAX || !answer->data ||
		    log_tail_whole(answer->data, answer->size, lines))
			break;
	}
	return answer->data != NULL;
}

static void print_tail(struct cli *cli, const json_t *run, const json_t *step, unsigned lines)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	cleanup_text struct text_buffer text = {0};
	char prefix[32];
	const struct log_tail tail = {.lines = lines, .prefix = prefix, .color = cli->color};

	(void)snprintf(prefix, sizeof(prefix), "  %s|%s ", sgr(cli->color, SGR_DIM),
		       sgr(cli->color, SGR_RESET));
	if (!read_tail(cli, run, step, lines, &answer))
		return;
	log_tail_format(&tail, answer.data, answer.size, &text);
	if (text.data)
		(void)fwrite(text.data, 1, text.size, stdout);
}

void run_print_failures(struct cli *cli, const json_t *run, unsigned lines)
{
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(run, "steps"), i, step) {
		const char *state = json_text(step, "state");
		char name[512], reason[1024], words[64];

		if (strcmp(state, "failed") != 0 && strcmp(state, "errored") != 0)
			continue;
		text_escape(name, sizeof(name), json_text(step, "name"));
		text_escape(reason, sizeof(reason), json_text(step, "reason"));
		state_words(words, sizeof(words), step);
		(void)printf("\n%s%s %s%s %s: %s\n", sgr(cli->color, state_color(state)),
			     state_glyph(state, cli->utf8), name, sgr(cli->color, SGR_RESET), words,
			     *reason ? reason : "no reason given");
		print_tail(cli, run, step, lines);
	}
}

void run_print_findings(const json_t *run)
{
	const json_t *findings = json_object_get(run, "findings");
	const char *reason = json_text(run, "reason");
	json_t *finding;
	size_t i;

	json_array_foreach ((json_t *)findings, i, finding) {
		const char *text = json_string_value(finding);
		char escaped[2048];

		/* skip a single finding that is the reason of the run, which may be cut */
		if (json_array_size(findings) == 1 && text && *reason &&
		    strncmp(text, reason, strlen(reason)) == 0)
			return;
		text_escape(escaped, sizeof(escaped), text ? text : "");
		(void)printf("  %s\n", escaped);
	}
}

int run_exit_code(const json_t *run)
{
	return strcmp(json_text(run, "state"), "succeeded") == 0 ? CLI_OK : CLI_FAILED;
}
