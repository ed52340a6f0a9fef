/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl project ls, show, pause, unpause. Adding and removing: cmd_project_file.c. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/run_table.h"
#include "cli/text.h"
#include "common/names.h"

#include <inttypes.h>
#include <time.h>

static int run_project_ls(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *answer = NULL;
	cleanup_table struct table table = {
		.headings = {"PROJECT", "RUNNING", "LAST RUN", "AGE", "REPOSITORY"},
		.n_columns = 5};
	struct error error = ERROR_INIT;
	enum cli_exit code;
	json_t *project;
	size_t i;

	code = client_get_json(cli->client, &answer, &error, "/api/v1/projects");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(answer);
		return CLI_OK;
	}
	json_array_foreach (json_object_get(answer, "projects"), i, project) {
		const json_t *last = json_object_get(project, "last_run");
		const char *state = json_text(last, "state");
		bool paused = json_is_true(json_object_get(project, "paused"));
		char age[64];

		table_row(&table);
		table_cell(&table, 0, json_text(project, "name"));
		table_cellf(&table, 1, "%" PRIu64 "%s", json_number(project, "running"),
			    paused ? " (paused)" : "");
		if (json_is_object(last)) {
			table_cellf(&table, 2, "%s %" PRIu64 " %s", state_glyph(state, cli->utf8),
				    json_number(last, "id"), state);
			table_cell_color(&table, 2, state_color(state));
			format_age(age, sizeof(age), wall_usec(),
				   json_number(last, "created_usec"));
			table_cell(&table, 3, age);
		}
		table_cell(&table, 4, json_text(project, "repository"));
	}
	if (json_array_size(json_object_get(answer, "projects")) == 0)
		(void)puts("no projects yet (\"runbookctl project add NAME --repo URL\")");
	else
		(void)table_print(&table, stdout, cli->color);
	return CLI_OK;
}

static void print_line(const char *label, const char *value)
{
	char escaped[2048];

	text_escape(escaped, sizeof(escaped), value);
	(void)printf("%-12s%s\n", label, *escaped ? escaped : "-");
}

static void print_schedules(const json_t *project)
{
	json_t *schedule;
	char text[1024], when[64];
	size_t i;

	json_array_foreach (json_object_get(project, "schedules"), i, schedule) {
		uint64_t next = json_number(schedule, "next_usec");
		time_t seconds = (time_t)(next / USEC_PER_SEC);
		struct tm utc;

		if (next && gmtime_r(&seconds, &utc))
			(void)strftime(when, sizeof(when), "next %Y-%m-%d %H:%M UTC", &utc);
		else
			(void)snprintf(when, sizeof(when), "never");
		(void)snprintf(text, sizeof(text), "%s %s on %s: %s%s%s",
			       json_text(schedule, "cron"), json_text(schedule, "timezone"),
			       *json_text(schedule, "branch") ? json_text(schedule, "branch")
							      : "the directory",
			       when, *json_text(schedule, "problem") ? ", " : "",
			       json_text(schedule, "problem"));
		print_line("schedule", text);
	}
}

static int run_project_show(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *project = NULL;
	struct error error = ERROR_INIT;
	const json_t *last;
	enum cli_exit code;
	char text[64];

	if (!project_name_valid(arguments->list[0]))
		return cli_usage("project show", "\"%s\" is not a project name",
				 arguments->list[0]);
	code = client_get_json(cli->client, &project, &error, "/api/v1/projects/%s",
			       arguments->list[0]);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(project);
		return CLI_OK;
	}
	print_line("project", json_text(project, "name"));
	print_line(json_is_true(json_object_get(project, "workspace")) ? "directory" : "repository",
		   json_text(project, "repository"));
	print_line("state", json_is_true(json_object_get(project, "paused")) ? "paused" : "active");
	if (json_number(project, "max_running") > 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " of at most %" PRIu64 " steps",
			       json_number(project, "running"),
			       json_number(project, "max_running"));
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64 " steps",
			       json_number(project, "running"));
	print_line("running", text);
	(void)snprintf(text, sizeof(text), "%" PRIu64, json_number(project, "weight"));
	print_line("weight", text);
	if (*json_text(project, "default_branch"))
		print_line("branch", json_text(project, "default_branch"));
	print_schedules(project);
	last = json_object_get(project, "last_run");
	if (json_is_object(last)) {
		(void)putchar('\n');
		run_print_header(cli, last);
	}
	return CLI_OK;
}

static int set_paused(struct cli *cli, const struct cli_arguments *arguments, const char *verb)
{
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;

	if (!project_name_valid(arguments->list[0]))
		return cli_usage("project", "\"%s\" is not a project name", arguments->list[0]);
	code = client_post_json(cli->client, NULL, false, &answer, &error, "/api/v1/projects/%s/%s",
				arguments->list[0], verb);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("%s: %sd\n", arguments->list[0], verb);
	return CLI_OK;
}

static int run_project_pause(struct cli *cli, const struct cli_arguments *arguments)
{
	return set_paused(cli, arguments, "pause");
}

static int run_project_unpause(struct cli *cli, const struct cli_arguments *arguments)
{
	return set_paused(cli, arguments, "unpause");
}

const struct cli_command cmd_project_ls = {
	.name = "project ls",
	.arguments = "",
	.summary = "list the projects",
	.handler = run_project_ls,
};

const struct cli_command cmd_project_show = {
	.name = "project show",
	.arguments = "NAME",
	.n_min = 1,
	.n_max = 1,
	.summary = "show one project",
	.handler = run_project_show,
};

const struct cli_command cmd_project_pause = {
	.name = "project pause",
	.arguments = "NAME",
	.n_min = 1,
	.n_max = 1,
	.summary = "accept pushes, but start no steps",
	.handler = run_project_pause,
};

const struct cli_command cmd_project_unpause = {
	.name = "project unpause",
	.arguments = "NAME",
	.n_min = 1,
	.n_max = 1,
	.summary = "start steps again",
	.handler = run_project_unpause,
};
