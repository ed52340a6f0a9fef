/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl queue: which steps wait, and for what. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"

#include <inttypes.h>

/* A resource of the host that is not counted is null in @queue. */
static void print_sums(const json_t *queue, size_t shown)
{
	const json_t *host = json_object_get(queue, "host");
	uint64_t total = json_number(queue, "total");
	char used[32], all[32];

	if (total > shown)
		(void)printf("… and %" PRIu64 " more\n", total - shown);
	(void)printf("%" PRIu64 " waiting, %" PRIu64 " of %" PRIu64 " running", total,
		     json_number(queue, "running"), json_number(queue, "limit"));
	if (json_has(host, "cpu_milli"))
		(void)printf(", %g of %g processors promised",
			     (double)json_number(host, "cpu_milli_used") / 1000,
			     (double)json_number(host, "cpu_milli") / 1000);
	if (json_has(host, "memory")) {
		format_amount(used, sizeof(used), json_number(host, "memory_used"));
		format_amount(all, sizeof(all), json_number(host, "memory"));
		(void)printf(", %s of %s memory", used, all);
	}
	if (json_number(queue, "fetching_total"))
		(void)printf(", %" PRIu64 " cannot be fetched yet",
			     json_number(queue, "fetching_total"));
	(void)printf("\n");
}

static void add_row(struct table *table, const json_t *item, const char *step)
{
	uint64_t since = json_number(item, "since_usec"), now = wall_usec();
	char text[32] = "";

	if (since > 0 && since < now)
		format_duration(text, sizeof(text), now - since);
	table_row(table);
	if (json_number(item, "position"))
		table_cellf(table, 0, "%" PRIu64, json_number(item, "position"));
	else
		table_cell(table, 0, "-");
	table_cellf(table, 1, "%" PRIu64, json_number(item, "run"));
	table_cell(table, 2, json_text(item, "project"));
	table_cell(table, 3, step);
	table_cell(table, 4, text);
	table_cell(table, 5, json_text(item, "reason"));
}

static int run_queue(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *queue = NULL;
	cleanup_table struct table table = {
		.headings = {"POS", "RUN", "PROJECT", "STEP", "WAITS", "FOR"}, .n_columns = 6};
	struct error error = ERROR_INIT;
	const json_t *waiting, *fetching;
	enum cli_exit code;
	json_t *step;
	size_t i;

	code = client_get_json(cli->client, &queue, &error, "/api/v1/queue");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(queue);
		return CLI_OK;
	}
	waiting = json_object_get(queue, "waiting");
	json_array_foreach ((json_t *)waiting, i, step)
		add_row(&table, step, json_text(step, "name"));
	/* runs whose runbook has not been fetched have no steps yet */
	fetching = json_object_get(queue, "fetching");
	json_array_foreach ((json_t *)fetching, i, step)
		add_row(&table, step, "(fetch)");
	if (table.n_rows > 0)
		(void)table_print(&table, stdout, cli->color);
	print_sums(queue, json_array_size(waiting));
	return CLI_OK;
}

const struct cli_command cmd_queue = {
	.name = "queue",
	.arguments = "",
	.summary = "list the waiting steps, and what they wait for",
	.handler = run_queue,
};
