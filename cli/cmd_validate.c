/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl validate: check a runbook without a daemon. */

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/runbook_file.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/zones.h"
#include "runbook/runbook.h"
#include "runbook/schema_json.h"

static json_t *finding_json(const struct runbook_finding *finding)
{
	return json_pack("{s:i, s:i, s:s, s:s, s:s}", "line", (int)finding->place.line, "column",
			 (int)finding->place.column, "path", finding->path, "message",
			 finding->message, "fix", finding->fix);
}

static void print_json(const char *file, const struct runbook_file *checked, const char *note)
{
	cleanup_json json_t *findings = json_array(), *answer = NULL;

	for (size_t i = 0; i < checked->n_findings; i++)
		(void)json_array_append_new(findings, finding_json(&checked->findings[i]));
	answer = json_pack("{s:s, s:b, s:I, s:O, s:s*}", "file", file, "valid",
			   checked->n_findings == 0, "steps",
			   (json_int_t)(checked->runbook ? checked->runbook->n_steps : 0),
			   "findings", findings, "note", note);
	json_print(answer);
}

static int print_schema(void)
{
	cleanup_free char *schema = runbook_schema_json();

	if (!schema) {
		cli_note("cannot write the schema: out of memory");
		return CLI_REFUSED;
	}
	(void)fputs(schema, stdout);
	return CLI_OK;
}

static int run_validate(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_runbook_file struct runbook_file file = {0};
	const char *path = arguments->n ? arguments->list[0] : "runbook.yml";
	struct error error = ERROR_INIT;
	const char *note = NULL;
	enum cli_exit code;

	if (cli_flag(arguments, "schema"))
		return print_schema();
	code = runbook_file_read(path, &file, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (!runbook_file_check_zones(&file))
		note = "its time zones were not checked, because this host has no " ZONE_DIRECTORY
		       " (install tzdata)";
	if (cli->json)
		print_json(path, &file, note);
	else if (file.n_findings > 0)
		runbook_file_print_findings(cli, path, &file);
	else
		(void)printf("%s: valid, %zu step%s\n", path, file.runbook->n_steps,
			     file.runbook->n_steps == 1 ? "" : "s");
	if (note && !cli->json)
		cli_note("%s", note);
	return file.n_findings == 0 ? CLI_OK : CLI_FAILED;
}

static const struct cli_option options[] = {
	{"schema", 0, NULL, "print the JSON Schema of runbook.yml instead, for editors"},
	{0},
};

const struct cli_command cmd_validate = {
	.name = "validate",
	.arguments = "[FILE]",
	.n_max = 1,
	.summary = "check a runbook (runbook.yml; \"-\": standard input)",
	.description = "Every finding is printed as FILE:LINE:COLUMN: PATH: what is wrong (the "
		       "fix).\nThe exit code is 1 if there is one. No daemon is needed.",
	.options = options,
	.handler = run_validate,
};
