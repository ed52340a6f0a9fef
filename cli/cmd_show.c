/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl show: print one run with its steps. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/run_table.h"

#include <string.h>

#define TAIL_LINES_DEFAULT 20

static int run_show(struct cli *cli, const struct cli_arguments *arguments)
{
	const char *tail = cli_value(arguments, "tail");
	uint64_t id, lines = TAIL_LINES_DEFAULT;
	struct error error = ERROR_INIT;
	cleanup_json json_t *run = NULL;
	enum cli_exit code;

	if (cli_run_id(arguments->list[0], &id, &error) < 0)
		return cli_usage("show", "%s", error.text);
	if (tail && cli_run_id(tail, &lines, NULL) < 0)
		return cli_usage("show", "--tail must be a number, not \"%s\"", tail);
	if (cli_flag(arguments, "follow")) {
		struct follow_options options = {.logs = cli_flag(arguments, "logs")};

		return follow_run(cli, id, &options);
	}
	code = run_fetch(cli->client, id, &run, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(run);
		return CLI_OK;
	}
	run_print_header(cli, run);
	run_print_findings(run);
	if (json_array_size(json_object_get(run, "steps")) > 0)
		(void)putchar('\n');
	run_print_steps(cli, run, true);
	if (lines > 0)
		run_print_failures(cli, run, (unsigned)(lines < 10000 ? lines : 10000));
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"follow", 'f', NULL, "show it live until it ends; exit 1 if it does not succeed"},
	{"logs", 0, NULL, "with --follow: show the steps' output too"},
	{"tail", 0, "N", "last N log lines of each failed step (20; 0: none)"},
	{0},
};

const struct cli_command cmd_show = {
	.name = "show",
	.arguments = "RUN",
	.n_min = 1,
	.n_max = 1,
	.summary = "show a run, its steps, and why steps failed",
	.options = options,
	.handler = run_show,
};
