/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl queue: who waits for what. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/text.h"

#include <inttypes.h>

static int run_queue(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *queue = NULL;
	cleanup_table struct table table = {
		.headings = {"POS", "RUN", "PROJECT", "STEP", "WAITS", "FOR"}, .n_columns = 6};
	struct error error = ERROR_INIT;
	const json_t *waiting;
	enum cli_exit code;
	json_t *step;
	size_t i;

	(void)arguments;
	code = client_get_json(cli->client, &queue, &error, "/api/v1/queue");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(queue);
		return CLI_OK;
	}
	waiting = json_object_get(queue, "waiting");
	json_array_foreach ((json_t *)waiting, i, step) {
		uint64_t since = json_number(step, "since_usec"), now = wall_usec();
		char text[32] = "";

		if (since > 0 && since < now)
			format_duration(text, sizeof(text), now - since);
		table_row(&table);
		table_cellf(&table, 0, "%" PRIu64, json_number(step, "position"));
		table_cellf(&table, 1, "%" PRIu64, json_number(step, "run"));
		table_cell(&table, 2, json_text(step, "project"));
		table_cell(&table, 3, json_text(step, "name"));
		table_cell(&table, 4, text);
		table_cell(&table, 5, json_text(step, "reason"));
	}
	if (json_array_size(waiting) > 0)
		(void)table_print(&table, stdout, cli->color);
	(void)printf("%zu waiting, %" PRIu64 " of %" PRIu64 " running\n", json_array_size(waiting),
		     json_number(queue, "running"), json_number(queue, "limit"));
	return CLI_OK;
}

const struct cli_command cmd_queue = {
	.name = "queue",
	.arguments = "",
	.summary = "which steps wait, and for what",
	.handler = run_queue,
};
