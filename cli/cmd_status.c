/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl status: print whether the daemon works, and how much it does. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/names.h"

#include <inttypes.h>

static void print_counts(const char *label, const json_t *counts)
{
	const char *state;
	json_t *count;
	bool first = true;

	(void)printf("%-10s", label);
	json_object_foreach ((json_t *)counts, state, count) {
		if (json_integer_value(count) == 0)
			continue;
		(void)printf("%s%" JSON_INTEGER_FORMAT " %s", first ? "" : ", ",
			     json_integer_value(count), state);
		first = false;
	}
	(void)puts(first ? "none" : "");
}

static int run_status(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *status = NULL;
	struct error error = ERROR_INIT;
	char up[32], version[64];
	enum cli_exit code;

	code = client_get_json(cli->client, &status, &error, "/api/v1/status");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(status);
		return CLI_OK;
	}
	format_duration(up, sizeof(up), wall_usec() - json_number(status, "started_usec"));
	text_escape(version, sizeof(version), json_text(status, "version"));
	(void)printf("%-10s%s, up %s\n", "runbookd", version, up);
	(void)printf("%-10s%" PRIu64 "\n", "projects", json_number(status, "projects"));
	print_counts("runs", json_object_get(status, "runs"));
	print_counts("steps", json_object_get(status, "steps"));
	(void)printf("%-10s%" PRIu64 " steps at a time\n", "limit", json_number(status, "limit"));
	return CLI_OK;
}

const struct cli_command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "show the version, uptime and load of the daemon",
	.handler = run_status,
};
