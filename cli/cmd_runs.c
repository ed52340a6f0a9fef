/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl runs: list the newest runs, one a line. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/run_table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RUNS_DEFAULT 20
/* most pages that are requested while too few runs in them are wanted */
#define PAGES_MAX 50

static void add_run(const struct cli *cli, struct table *table, const json_t *run)
{
	const char *state = json_text(run, "state");
	uint64_t started = json_number(run, "started_usec"), ended = json_number(run, "ended_usec");
	uint64_t now = wall_usec();
	char text[64];

	table_row(table);
	table_cellf(table, 0, "%" PRIu64, json_number(run, "id"));
	table_cell(table, 1, json_text(run, "project"));
	table_cellf(table, 2, "%s %s", state_glyph(state, cli->utf8), state);
	table_cell_color(table, 2, state_color(state));
	table_cell(table, 3, json_text(run, "event"));
	table_cell(table, 4, ref_short(json_text(run, "ref")));
	table_cellf(table, 5, "%.8s", json_text(run, "commit"));
	format_age(text, sizeof(text), now, json_number(run, "created_usec"));
	table_cell(table, 6, text);
	if (started > 0) {
		format_duration(text, sizeof(text), (ended ? ended : now) - started);
		table_cell(table, 7, text);
	}
	table_cell(table, 8,
		   *json_text(run, "reason") ? json_text(run, "reason") : json_text(run, "title"));
}

struct wanted {
	const char *project; /* NULL: all */
	uint64_t before, limit;
	bool all; /* include runs that the "on" of their runbook excludes */
};

/* The runs that were left out. */
struct left_out {
	uint64_t n;
	json_t **newest; /* a reference to the newest of them, which the caller releases */
};

static void append_runs(json_t *runs, const json_t *page, bool all, struct left_out *out)
{
	json_t *run;
	size_t i;

	json_array_foreach (page, i, run) {
		if (all || !json_is_true(json_object_get(run, "unwanted")))
			(void)json_array_append(runs, run);
		else if (out->n++ == 0)
			*out->newest = json_incref(run);
	}
}

/* The list is empty: name the newest delivery that was not wanted, if there is one. */
static void print_none(const struct left_out *out)
{
	const json_t *run = *out->newest;
	char reason[1024], project[256], ref[1024];

	if (out->n == 0) {
		(void)puts("no runs yet (push to a project, or \"runbookctl trigger PROJECT\")");
		return;
	}
	text_escape(project, sizeof(project), json_text(run, "project"));
	text_escape(ref, sizeof(ref), ref_short(json_text(run, "ref")));
	text_escape(reason, sizeof(reason), json_text(run, "reason"));
	(void)printf("no runs yet: %" PRIu64 " deliver%s not wanted; the last is run %" PRIu64
		     ", %s %s of %s: %s\n(\"runbookctl runs --all\" lists them)\n",
		     out->n, out->n == 1 ? "y was" : "ies were", json_number(run, "id"),
		     json_text(run, "event"), ref, project, reason);
}

/* Fetch pages until there are enough runs. Return: an exit code. */
static enum cli_exit fetch_runs(struct cli *cli, const struct wanted *wanted, json_t *runs,
				json_t **ret_next, struct left_out *out, struct error *error)
{
	cleanup_free char *escaped = client_escape(wanted->project ? wanted->project : "");
	uint64_t before = wanted->before, limit = wanted->limit;

	if (!escaped) {
		(void)error_set(error, ENOMEM, "out of memory");
		return CLI_REFUSED;
	}
	for (unsigned i = 0; json_array_size(runs) < limit && i < PAGES_MAX; i++) {
		uint64_t left = limit - json_array_size(runs);
		cleanup_json json_t *page = NULL;
		char from[48] = "";
		enum cli_exit code;

		if (before > 0)
			(void)snprintf(from, sizeof(from), "&before=%" PRIu64, before);
		code = client_get_json(cli->client, &page, error,
				       "/api/v1/runs?limit=%" PRIu64 "%s%s%s",
				       left < API_PAGE_MAX ? left : (uint64_t)API_PAGE_MAX,
				       *escaped ? "&project=" : "", escaped, from);
		if (code != CLI_OK)
			return code;
		append_runs(runs, json_object_get(page, "runs"), wanted->all, out);
		before = json_number(page, "next");
		if (before == 0 || json_array_size(json_object_get(page, "runs")) == 0)
			break;
	}
	*ret_next = before > 0 ? json_integer((json_int_t)before) : json_null();
	return CLI_OK;
}

static int run_runs(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *runs = json_array(), *next = NULL, *newest = NULL;
	struct left_out out = {.newest = &newest};
	cleanup_table struct table table = {.headings = {"RUN", "PROJECT", "STATE", "EVENT", "REF",
							 "COMMIT", "AGE", "TIME",
							 "REASON OR TITLE"},
					    .n_columns = 9};
	const char *limit_text = cli_value(arguments, "limit");
	const char *before_text = cli_value(arguments, "before");
	struct wanted wanted = {
		.project = arguments->n ? arguments->list[0] : NULL,
		.limit = RUNS_DEFAULT,
		.all = cli_flag(arguments, "all"),
	};
	struct error error = ERROR_INIT;
	enum cli_exit code;
	json_t *run;
	size_t i;

	if (limit_text && (cli_run_id(limit_text, &wanted.limit, NULL) < 0 || wanted.limit == 0))
		return cli_usage("runs", "--limit must be a positive number, not \"%s\"",
				 limit_text);
	if (before_text && cli_run_id(before_text, &wanted.before, &error) < 0)
		return cli_usage("runs", "--before: %s", error.text);
	code = fetch_runs(cli, &wanted, runs, &next, &out, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		cleanup_json json_t *answer = json_pack("{s:O, s:O}", "runs", runs, "next", next);

		json_print(answer);
		return CLI_OK;
	}
	if (json_array_size(runs) == 0) {
		print_none(&out);
		return CLI_OK;
	}
	json_array_foreach (runs, i, run)
		add_run(cli, &table, run);
	(void)table_print(&table, stdout, cli->color);
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"limit", 'n', "N", "show the newest N runs (20)"},
	{"before", 0, "RUN", "only runs older than RUN"},
	{"all", 'a', NULL, "include deliveries that \"on\" of the runbook excludes"},
	{0},
};

const struct cli_command cmd_runs = {
	.name = "runs",
	.arguments = "[PROJECT]",
	.n_max = 1,
	.summary = "list the newest runs",
	.options = options,
	.handler = run_runs,
};
