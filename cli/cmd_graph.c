/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl graph: the DAG of a file or of a run. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/graph.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/run_table.h"
#include "cli/runbook_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool is_run_number(const char *text)
{
	return text[text[0] == '#' ? 1 : 0] &&
	       strspn(text + (text[0] == '#'), "0123456789") == strlen(text + (text[0] == '#'));
}

static int graph_from_file(struct cli *cli, const char *path, struct graph **ret_graph)
{
	cleanup_runbook_file struct runbook_file file = {0};
	struct error error = ERROR_INIT;
	enum cli_exit code = runbook_file_read(path, &file, &error);

	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (!file.runbook) {
		runbook_file_print_findings(cli, path, &file);
		return CLI_FAILED;
	}
	*ret_graph = graph_of_runbook(file.runbook);
	return CLI_OK;
}

static int graph_from_run(struct cli *cli, const char *text, struct graph **ret_graph)
{
	cleanup_json json_t *run = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;
	uint64_t id;

	if (cli_run_id(text, &id, &error) < 0)
		return cli_usage("graph", "%s", error.text);
	code = run_fetch(cli->client, id, &run, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (json_array_size(json_object_get(run, "steps")) == 0) {
		(void)error_set(&error, ENOENT, "run %" PRIu64 " has no steps%s%s", id,
				*json_text(run, "reason") ? ": " : " yet",
				json_text(run, "reason"));
		return cli_fail(CLI_NOT_FOUND, &error);
	}
	*ret_graph = graph_of_run(run);
	return CLI_OK;
}

static void print_json(const struct graph *graph)
{
	cleanup_json json_t *nodes = json_array(), *answer = NULL;

	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *node = &graph->nodes[i];
		json_t *needs = json_array();

		for (size_t j = 0; j < node->n_needs; j++)
			(void)json_array_append_new(needs,
						    json_string(graph->nodes[node->needs[j]].name));
		(void)json_array_append_new(nodes,
					    json_pack("{s:s, s:I, s:s?, s:o}", "name", node->name,
						      "level", (json_int_t)node->level, "state",
						      node->state, "depends_on", needs));
	}
	answer = json_pack("{s:O}", "steps", nodes);
	json_print(answer);
}

static int run_graph(struct cli *cli, const struct cli_arguments *arguments)
{
	const char *format = cli_value(arguments, "format");
	const char *what = arguments->n ? arguments->list[0] : "runbook.yml";
	cleanup_text struct text_buffer out = {0};
	struct graph *graph = NULL;
	int code;

	if (!format)
		format = "text";
	if (strcmp(format, "text") != 0 && strcmp(format, "dot") != 0 && strcmp(format, "svg") != 0)
		return cli_usage("graph", "--format is text, dot or svg, not \"%s\"", format);
	code = is_run_number(what) ? graph_from_run(cli, what, &graph)
				   : graph_from_file(cli, what, &graph);
	if (code != CLI_OK)
		return code;
	if (!graph) {
		cli_note("cannot draw the graph: out of memory");
		return CLI_REFUSED;
	}
	if (cli->json)
		print_json(graph);
	else if (strcmp(format, "dot") == 0)
		graph_dot(graph, &out);
	else if (strcmp(format, "svg") == 0)
		graph_svg(graph, &out);
	else
		graph_text(graph, cli->utf8, cli->color, &out);
	graph = graph_free(graph);
	if (out.failed) {
		cli_note("cannot draw the graph: out of memory");
		return CLI_REFUSED;
	}
	if (out.data)
		(void)fwrite(out.data, 1, out.size, stdout);
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"format", 0, "text|dot|svg", "format of the graph (text)"},
	{0},
};

const struct cli_command cmd_graph = {
	.name = "graph",
	.arguments = "[FILE|RUN]",
	.n_max = 1,
	.summary = "draw the steps and their dependencies",
	.description = "FILE is a runbook (default: runbook.yml; \"./42\" is a file named 42). RUN "
		       "is the number of a\nrun, whose graph has states and durations.",
	.options = options,
	.handler = run_graph,
};
