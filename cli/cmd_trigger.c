/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl trigger: start a run of a project by hand. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/report.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <stdio.h>
#include <string.h>

static int run_trigger(struct cli *cli, const struct cli_arguments *arguments)
{
	const char *ref = cli_value(arguments, "ref"), *commit = cli_value(arguments, "commit");
	cleanup_json json_t *body = json_object(), *answer = NULL;
	struct error error = ERROR_INIT;
	char full[1024];
	enum cli_exit code;

	if (!project_name_valid(arguments->list[0]))
		return cli_usage("trigger", "\"%s\" is not a project name", arguments->list[0]);
	if (ref) {
		/* a short name is that of a branch */
		(void)snprintf(full, sizeof(full), "%s%s",
			       strncmp(ref, "refs/", 5) == 0 ? "" : "refs/heads/", ref);
		if (!ref_name_valid(full))
			return cli_usage("trigger", "\"%s\" is not a branch, tag or full ref name",
					 ref);
		(void)json_object_set_new(body, "ref", json_string(full));
	}
	if (commit) {
		if (!commit_valid(commit))
			return cli_usage("trigger",
					 "--commit takes all 40 or 64 hex digits, not \"%s\"",
					 commit);
		(void)json_object_set_new(body, "commit", json_string(commit));
	}
	code = client_post_json(cli->client, body, true, &answer, &error,
				"/api/v1/projects/%s/runs", arguments->list[0]);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	return follow_or_print(cli, arguments, json_number(answer, "run"), answer, NULL);
}

static const struct cli_option options[] = {
	{"ref", 0, "REF", "branch or full ref (the repository's default branch)"},
	{"commit", 0, "COMMIT", "exactly this commit"},
	{"follow", 'f', NULL, "show the run live until it ends"},
	{"logs", 0, NULL, "with --follow: show the steps' output too"},
	{0},
};

const struct cli_command cmd_trigger = {
	.name = "trigger",
	.arguments = "PROJECT",
	.n_min = 1,
	.n_max = 1,
	.summary = "start a run of a project now",
	.description = "With --follow the exit code is 1 when the run does not succeed; Ctrl-C "
		       "stops watching,\nnot the run.",
	.options = options,
	.handler = run_trigger,
};
