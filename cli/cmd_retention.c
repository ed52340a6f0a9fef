/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl gc, pin, unpin: remove what [Retention] does not keep, and exempt runs from it. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"

#include <inttypes.h>

/* ---- pin ---- */

static int change_pin(struct cli *cli, const struct cli_arguments *arguments, const char *verb)
{
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;
	uint64_t run;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage(verb, "%s", error.text);
	code = client_post_json(cli->client, NULL, false, &answer, &error,
				"/api/v1/runs/%" PRIu64 "/%s", run, verb);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("run %" PRIu64 " is %s\n", run,
			     json_is_true(json_object_get(answer, "pinned"))
				     ? "pinned: retention keeps it"
				     : "not pinned");
	return CLI_OK;
}

static int run_pin(struct cli *cli, const struct cli_arguments *arguments)
{
	return change_pin(cli, arguments, "pin");
}

static int run_unpin(struct cli *cli, const struct cli_arguments *arguments)
{
	return change_pin(cli, arguments, "unpin");
}

/* ---- gc ---- */

static void print_items(struct cli *cli, const json_t *answer)
{
	cleanup_table struct table table = {.headings = {"RUN", "PROJECT", "WHAT", "RULE", "SIZE"},
					    .n_columns = 5};
	const json_t *items = json_object_get(answer, "items");
	json_t *item;
	size_t i;

	json_array_foreach ((json_t *)items, i, item) {
		char size[32];

		format_amount(size, sizeof(size), json_number(item, "bytes"));
		table_row(&table);
		table_cellf(&table, 0, "%" PRIu64, json_number(item, "run"));
		table_cell(&table, 1, json_text(item, "project"));
		table_cell(&table, 2, json_text(item, "what"));
		table_cell(&table, 3, json_text(item, "rule"));
		table_cell(&table, 4, size);
	}
	if (json_array_size(items) > 0)
		(void)table_print(&table, stdout, cli->color);
	if (json_is_true(json_object_get(answer, "more_items")))
		(void)printf("… and more, which are counted below\n");
}

static void print_sum(const json_t *answer, const char *key, const char *words, bool dry_run)
{
	static const char *const rules[] = {"age", "count", "bytes", "space"};
	const json_t *sum = json_object_get(answer, key);
	const char *between = " (";
	char size[32];

	format_amount(size, sizeof(size), json_number(sum, "bytes"));
	(void)printf("%s %s %" PRIu64 " of %s", words,
		     dry_run ? "would be removed:" : "removed:", json_number(sum, "total"), size);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!json_number(sum, rules[i]))
			continue;
		(void)printf("%s%s %" PRIu64, between, rules[i], json_number(sum, rules[i]));
		between = ", ";
	}
	(void)printf("%s\n", json_number(sum, "total") ? ")" : "");
}

static void print_gc(struct cli *cli, const json_t *answer)
{
	const json_t *kept = json_object_get(answer, "kept");
	bool dry_run = json_is_true(json_object_get(answer, "dry_run"));

	print_items(cli, answer);
	print_sum(answer, "runs", "runs", dry_run);
	print_sum(answer, "logs", "logs alone", dry_run);
	print_sum(answer, "artifacts", "artifacts alone", dry_run);
	(void)printf("of %" PRIu64 " runs, %" PRIu64 " have not ended, %" PRIu64
		     " are pinned, %" PRIu64 " stay as the last success of a branch\n",
		     json_number(kept, "looked_at"), json_number(kept, "not_ended"),
		     json_number(kept, "pinned"), json_number(kept, "last_success"));
}

static int run_gc(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *body = NULL, *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;

	if (cli_flag(arguments, "dry-run"))
		body = json_pack("{s:b}", "dry_run", 1);
	code = client_post_json(cli->client, body, false, &answer, &error, "/api/v1/gc");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		print_gc(cli, answer);
	return CLI_OK;
}

static const struct cli_option gc_options[] = {
	{"dry-run", 0, NULL, "remove nothing, only show what would be removed, and why"},
	{0},
};

const struct cli_command cmd_gc = {
	.name = "gc",
	.arguments = "",
	.summary = "remove now what [Retention] does not keep",
	.description = "runbookd also does so by itself. Runs that have not ended, pinned runs, "
		       "and the last\nsuccess of each branch that exists stay. See [Retention] in "
		       "runbookd.conf(5).",
	.options = gc_options,
	.handler = run_gc,
};

const struct cli_command cmd_pin = {
	.name = "pin",
	.arguments = "RUN",
	.n_min = 1,
	.n_max = 1,
	.summary = "keep a run regardless of [Retention]",
	.handler = run_pin,
};

const struct cli_command cmd_unpin = {
	.name = "unpin",
	.arguments = "RUN",
	.n_min = 1,
	.n_max = 1,
	.summary = "apply [Retention] to a run again",
	.handler = run_unpin,
};
