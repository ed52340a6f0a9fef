/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl cancel, retry: change a run or one of its steps. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/run_table.h"

#include <inttypes.h>

/* Make the body: {"step": slug} if a step is named, {"failed": true} for --failed, otherwise none.
 * Return: CLI_OK or an exit code. */
static enum cli_exit change_body(struct cli *cli, const struct cli_arguments *arguments,
				 uint64_t run, json_t **ret_body, struct error *error)
{
	cleanup_json json_t *whole = NULL;
	enum cli_exit code;
	json_t *step;

	*ret_body = NULL;
	if (arguments->n < 2) {
		if (cli_flag(arguments, "failed"))
			*ret_body = json_pack("{s:b}", "failed", 1);
		return CLI_OK;
	}
	code = run_fetch(cli->client, run, &whole, error);
	if (code != CLI_OK)
		return code;
	step = run_find_step(whole, arguments->list[1], error);
	if (!step)
		return CLI_NOT_FOUND;
	*ret_body = json_pack("{s:s}", "step", json_text(step, "slug"));
	return CLI_OK;
}

static int run_cancel(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *body = NULL, *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;
	uint64_t run;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("cancel", "%s", error.text);
	code = change_body(cli, arguments, run, &body, &error);
	if (code == CLI_OK)
		code = client_post_json(cli->client, body, false, &answer, &error,
					"/api/v1/runs/%" PRIu64 "/cancel", run);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("run %" PRIu64 ": %" PRIu64 " steps cancelled\n", run,
			     json_number(answer, "cancelled"));
	return CLI_OK;
}

static int run_retry(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *body = NULL, *answer = NULL;
	struct follow_options options = {.logs = cli_flag(arguments, "logs")};
	struct error error = ERROR_INIT;
	enum cli_exit code;
	uint64_t run;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("retry", "%s", error.text);
	if (arguments->n > 1 && cli_flag(arguments, "failed"))
		return cli_usage("retry", "--failed and STEP do not go together");
	code = change_body(cli, arguments, run, &body, &error);
	/* new attempts are in a run with older events: follow it from now on */
	if (code == CLI_OK && body && cli_flag(arguments, "follow")) {
		options.from_now = true;
		code = follow_last_event(cli, run, &options.after, &error);
	}
	if (code == CLI_OK)
		code = client_post_json(cli->client, body, true, &answer, &error,
					"/api/v1/runs/%" PRIu64 "/retry", run);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	return follow_or_print(cli, arguments, json_number(answer, "run"), answer, &options);
}

static const struct cli_option retry_options[] = {
	{"failed", 0, NULL, "retry all steps that did not succeed, in the run itself"},
	{"follow", 'f', NULL, "show the run live until it ends"},
	{"logs", 0, NULL, "with --follow: show the steps' output too"},
	{0},
};

const struct cli_command cmd_cancel = {
	.name = "cancel",
	.arguments = "RUN [STEP]",
	.n_min = 1,
	.n_max = 2,
	.summary = "end a run, or one step of it",
	.description = "Waiting steps end at once, running ones after SIGTERM and a grace period.",
	.handler = run_cancel,
};

const struct cli_command cmd_retry = {
	.name = "retry",
	.arguments = "RUN [STEP]",
	.n_min = 1,
	.n_max = 2,
	.summary = "run again with the same runbook, commit and environment",
	.description = "A whole run is retried as a new run. One step is retried in its run, with "
		       "the steps\nthat were skipped because of it, and those that depend on its "
		       "result (when: failure,\nalways). --failed does so for all steps that did "
		       "not succeed, and fetches a run\nagain that never had steps.",
	.options = retry_options,
	.handler = run_retry,
};
