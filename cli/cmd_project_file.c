/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl project add, rm: write or remove a project's file and let the daemon reload. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/project_file.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"
#include "common/providers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Options whose value is written to the file unchanged. */
static const struct {
	const char *option, *key;
	bool path; /* make it absolute, because the daemon has another working directory */
} file_keys[] = {
	{"repo", "Repository", false},
	{"workspace", "Workspace", true},
	{"provider", "Provider", false},
	{"secret-file", "SecretFile", true},
	{"max-running", "MaxRunning", false},
	{"weight", "Weight", false},
	{"user", "User", false},
	{"password-file", "PasswordFile", true},
	{"ssh-key-file", "SshKeyFile", true},
	{"known-hosts-file", "KnownHostsFile", true},
};

static int check_options(const struct cli_arguments *arguments)
{
	const char *provider = cli_value(arguments, "provider");
	static const char *const numbers[] = {"max-running", "weight"};
	const char *name = arguments->list[0];
	uint64_t number;

	if (!project_name_valid(name))
		return cli_usage("project add",
				 "\"%s\" cannot be a project's name (a-z, 0-9 and ._-, at most %d, "
				 "starting with a letter or digit)",
				 name, PROJECT_NAME_MAX);
	if (!cli_value(arguments, "repo") == !cli_value(arguments, "workspace"))
		return cli_usage("project add", "one of --repo URL and --workspace DIR is needed");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *value = cli_value(arguments, numbers[i]);

		if (value && cli_run_id(value, &number, NULL) < 0)
			return cli_usage("project add", "--%s takes a number, not \"%s\"",
					 numbers[i], value);
	}
	if (provider && !provider_known(provider))
		return cli_usage("project add", "unknown provider \"%s\": choose " PROVIDERS_TEXT,
				 provider);
	return CLI_OK;
}

/* Write the project file that the options describe to @file. Return: 0 or -errno with @error. */
static int compose(const struct cli_arguments *arguments, const char *secret,
		   struct text_buffer *file, struct error *error)
{
	text_puts(file, "[Project]\n");
	for (size_t i = 0; i < ARRAY_SIZE(file_keys); i++) {
		const char *value = cli_value(arguments, file_keys[i].option);
		cleanup_free char *absolute = NULL;

		if (!value)
			continue;
		if (file_keys[i].path) {
			absolute = realpath(value, NULL);
			if (!absolute)
				return error_errno(error, errno, "--%s %s", file_keys[i].option,
						   value);
			value = absolute;
		}
		if (project_file_key(file, file_keys[i].key, value, error) < 0)
			return -error->number;
	}
	if (secret)
		text_printf(file, "Secret=%s\n", secret);
	return 0;
}

/*
 * Let a running daemon reload. Return: CLI_OK, also when no daemon runs (then
 * *@ret_running is false), or the code of its refusal.
 */
static enum cli_exit reload(struct cli *cli, bool *ret_running, struct error *error)
{
	enum cli_exit code;

	*ret_running = client_reachable(cli->client, NULL);
	if (!*ret_running)
		return CLI_OK;
	code = client_post_json(cli->client, NULL, false, NULL, error, "/api/v1/reload");
	if (code == CLI_UNREACHABLE) /* it has exited since the first request */
		*ret_running = false;
	return code;
}

static void print_added(const struct cli *cli, const struct cli_arguments *arguments,
			const char *secret, bool running)
{
	const char *name = arguments->list[0], *provider = cli_value(arguments, "provider");
	const char *secret_file = cli_value(arguments, "secret-file");
	char url[URL_MAX + 128];

	project_webhook_url(url, sizeof(url), cli->paths.etc, cli->paths.run, name);
	if (cli->json) {
		cleanup_json json_t *result =
			json_pack("{s:s, s:s, s:s?, s:b}", "project", name, "webhook_url", url,
				  "secret", secret, "running", running ? 1 : 0);

		json_print(result);
		return;
	}
	(void)printf("project %s added%s\n", name,
		     running ? "" : "; it is used as soon as runbookd starts");
	if (cli_value(arguments, "workspace")) {
		(void)printf("\n  runbookctl trigger %s --follow\n", name);
		return;
	}
	(void)printf("\nIn the settings of the repository at %s, add a webhook:\n"
		     "  URL           %s\n"
		     "  content type  application/json\n"
		     "  secret        %s%s\n"
		     "  events        pushes\n",
		     provider ? provider : "github", url, secret ? secret : "the one in ",
		     secret ? "" : secret_file);
}

static int run_project_add(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_text struct text_buffer file = {0};
	struct error error = ERROR_INIT;
	char secret[65], path[PATH_MAX];
	bool running = false, own_secret;
	enum cli_exit code;
	int result = check_options(arguments);

	if (result != CLI_OK)
		return result;
	if ((size_t)snprintf(path, sizeof(path), "%s/projects.d/%s.conf", cli->paths.etc,
			     arguments->list[0]) >= sizeof(path))
		return cli_usage("project add", "--root is too long a path");
	if (access(path, F_OK) == 0) {
		(void)error_set(
			&error, EEXIST,
			"project %s exists (edit %s and run \"systemctl reload runbookd\", or "
			"\"runbookctl project rm %s\" first)",
			arguments->list[0], path, arguments->list[0]);
		return cli_fail(CLI_REFUSED, &error);
	}
	own_secret = !cli_value(arguments, "secret-file") && !cli_value(arguments, "workspace");
	if (own_secret && project_secret_new(secret, &error) < 0)
		return cli_fail(CLI_REFUSED, &error);
	if (compose(arguments, own_secret ? secret : NULL, &file, &error) < 0)
		return cli_fail(CLI_USAGE, &error);
	if (project_file_write(cli->paths.etc, arguments->list[0], &file, &error) < 0) {
		if (error.number == EACCES || error.number == EPERM)
			cli_note("%s (use sudo: projects belong to root)", error.text);
		else
			(void)cli_fail(CLI_REFUSED, &error);
		return CLI_REFUSED;
	}
	code = reload(cli, &running, &error);
	if (code == CLI_REFUSED) {
		/* do not leave a file that the daemon refuses */
		(void)unlink(path);
		(void)error_wrap(&error, "project %s not added", arguments->list[0]);
		return cli_fail(CLI_REFUSED, &error);
	}
	print_added(cli, arguments, own_secret ? secret : NULL, running);
	return CLI_OK;
}

static int run_project_rm(struct cli *cli, const struct cli_arguments *arguments)
{
	struct error error = ERROR_INIT;
	const char *name = arguments->list[0];
	char path[PATH_MAX];
	bool running = false;
	enum cli_exit code;

	if (!project_name_valid(name))
		return cli_usage("project rm", "\"%s\" is not a project name", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/projects.d/%s.conf", cli->paths.etc, name) >=
	    sizeof(path))
		return cli_usage("project rm", "--root is too long a path");
	if (unlink(path) < 0) {
		int number = errno;

		if (number == ENOENT)
			(void)error_set(&error, number, "there is no project %s (no %s)", name,
					path);
		else
			(void)error_errno(&error, number, "cannot remove %s", path);
		return cli_fail(number == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, &error);
	}
	code = reload(cli, &running, &error);
	if (code == CLI_REFUSED)
		return cli_fail(code, &error);
	if (cli->json) {
		cleanup_json json_t *result = json_pack("{s:s}", "removed", name);

		json_print(result);
	} else {
		(void)printf("project %s removed; its runs, logs and secrets stay\n", name);
	}
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"repo", 0, "URL", "where the repository is: https://, ssh:// or file://"},
	{"workspace", 0, "DIR", "use this directory as it is instead; nothing is fetched"},
	{"provider", 0, "NAME", PROVIDERS_TEXT " (default: github)"},
	{"secret-file", 0, "FILE", "the webhook's secret (default: a new one is made)"},
	{"max-running", 0, "N", "at most N of its steps at a time"},
	{"weight", 0, "N", "its share when projects compete (1)"},
	{"user", 0, "NAME", "user name for fetching over https"},
	{"password-file", 0, "FILE", "password or token for fetching over https"},
	{"ssh-key-file", 0, "FILE", "private key for fetching over ssh"},
	{"known-hosts-file", 0, "FILE", "host keys for fetching over ssh"},
	{0},
};

const struct cli_command cmd_project_add = {
	.name = "project add",
	.arguments = "NAME",
	.n_min = 1,
	.n_max = 1,
	.summary = "add a project and print the settings for its forge",
	.options = options,
	.handler = run_project_add,
};

const struct cli_command cmd_project_rm = {
	.name = "project rm",
	.arguments = "NAME",
	.n_min = 1,
	.n_max = 1,
	.summary = "remove a project's file; its runs stay",
	.handler = run_project_rm,
};
