/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl run: run this working copy now. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/directory_tar.h"
#include "cli/effective.h"
#include "cli/follow.h"
#include "cli/instance.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/runbook_file.h"
#include "cli/working_copy.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The run that is to be made. */
struct job {
	char *directory; /* absolute */
	char name[PROJECT_NAME_MAX + 1];
	struct working_copy_git git;
	char *effective; /* runbook text, NULL: the file as it is */
	struct follow_options follow;
};

static int check_effective(struct cli *cli, const char *text)
{
	cleanup_runbook_file struct runbook_file file = {0};
	struct error error = ERROR_INIT;
	char *copy = strdup(text);
	enum cli_exit code;

	if (!copy) {
		cli_note("out of memory");
		return CLI_REFUSED;
	}
	code = runbook_file_parse(copy, strlen(copy), &file, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (file.runbook)
		return CLI_OK;
	runbook_file_print_findings(cli, "runbook.yml with the given options", &file);
	return CLI_USAGE;
}

/* Read and check runbook.yml, apply the options. Return: CLI_OK or an exit code, printed. */
static int prepare_runbook(struct cli *cli, const struct cli_arguments *arguments, struct job *job)
{
	cleanup_runbook_file struct runbook_file file = {0};
	struct effective_options options = {.step = cli_value(arguments, "step"),
					    .image = cli_value(arguments, "image")};
	const char *env[CLI_GIVEN_MAX], *value;
	struct error error = ERROR_INIT;
	char path[PATH_MAX + 16];
	enum cli_exit code;
	size_t cursor = 0;
	int result;

	(void)snprintf(path, sizeof(path), "%s/runbook.yml", job->directory);
	code = runbook_file_read(path, &file, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (!file.runbook) {
		runbook_file_print_findings(cli, path, &file);
		return CLI_FAILED;
	}
	while ((value = cli_next_value(arguments, "env", &cursor)) && options.n_env < CLI_GIVEN_MAX)
		env[options.n_env++] = value;
	options.env = env;
	if (!effective_needed(&options))
		return CLI_OK;
	result = effective_runbook(file.runbook, &options, &job->effective, &error);
	if (result < 0)
		return cli_fail(result == -ENOENT ? CLI_NOT_FOUND : CLI_USAGE, &error);
	return check_effective(cli, job->effective);
}

static int upload(struct cli *cli, void *userdata)
{
	const struct job *job = userdata;
	cleanup_free char *ref = client_escape(job->git.ref);
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.method = "POST", .once = true};
	struct error error = ERROR_INIT;
	cleanup_close int fd = -1;
	char path[2048];
	enum cli_exit code;

	if (!ref) {
		cli_note("out of memory");
		return CLI_REFUSED;
	}
	fd = directory_tar(job->directory, DIRECTORY_TAR_WORKING_COPY, job->effective,
			   API_UPLOAD_MAX, &request.body_fd_size, &error);
	if (fd < 0)
		return cli_fail(CLI_REFUSED, &error);
	(void)snprintf(path, sizeof(path), "/api/v1/uploads/runs?project=%s&ref=%s&commit=%s",
		       job->name, ref, job->git.commit);
	request.path = path;
	request.body_fd = fd;
	code = client_call(cli->client, &request, &answer, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	return follow_run(cli, json_number(answer.json, "run"), &job->follow);
}

static int trigger(struct cli *cli, void *userdata)
{
	const struct job *job = userdata;
	cleanup_json json_t *body = json_object(), *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;

	if (job->git.ref[0])
		(void)json_object_set_new(body, "ref", json_string(job->git.ref));
	if (job->git.commit[0])
		(void)json_object_set_new(body, "commit", json_string(job->git.commit));
	code = client_post_json(cli->client, body, true, &answer, &error,
				"/api/v1/projects/%s/runs", job->name);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	return follow_run(cli, json_number(answer, "run"), &job->follow);
}

static int run_job(struct cli *cli, struct job *job)
{
	const struct embedded_options options = {.directory = job->directory,
						 .images = cli->paths.lib,
						 .project = job->name,
						 .runbook_text = job->effective};

	return instance_or_daemon(cli, &options, "runbookctl run", upload, trigger, job);
}

static int run_run(struct cli *cli, const struct cli_arguments *arguments)
{
	const char *directory = arguments->n ? arguments->list[0] : ".";
	struct job job = {
		.follow = {.cancel_on_interrupt = true, .logs = !cli_flag(arguments, "no-logs")}};
	struct error error = ERROR_INIT;
	int code;

	job.directory = realpath(directory, NULL);
	if (!job.directory) {
		(void)error_errno(&error, errno, "cannot run %s", directory);
		return cli_fail(error.number == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, &error);
	}
	working_copy_name(job.name, job.directory);
	code = prepare_runbook(cli, arguments, &job);
	if (code == CLI_OK) {
		working_copy_git(job.directory, &job.git);
		code = run_job(cli, &job);
	}
	free(job.directory);
	free(job.effective);
	return code;
}

static const struct cli_option options[] = {
	{"step", 's', "STEP", "only this step and its dependencies"},
	{"image", 'i', "IMAGE", "image of every step"},
	{"env", 'e', "NAME=VALUE", "variable of every step; may be repeated"},
	{"no-logs", 0, NULL, "states only, no output of the steps"},
	{0},
};

const struct cli_command cmd_run = {
	.name = "run",
	.arguments = "[DIR]",
	.n_max = 1,
	.summary = "run the runbook.yml of this working copy now",
	.description =
		"The run uses the files as they are in the directory, committed or not. The "
		"directory is\nuploaded to the daemon. If no daemon answers, root gets an instance "
		"for this run, which is\nremoved afterwards. The exit code is 1 when the run does "
		"not succeed. Ctrl-C cancels the run.",
	.options = options,
	.handler = run_run,
};
