/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl secret: values are sealed for the scheduler, and cannot be read back. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#define SEALS_MAX 3 /* attempts: the scheduler may restart after it sent its key */
#define VALUE_ROOM (SECRET_VALUE_MAX + 3) /* for CR LF, and a byte that shows it is too long */
#define TERMINAL_LINE_MAX 4096		  /* N_TTY_BUF_SIZE: a longer line is cut */

/* ---- reading the value ---- */

static void interrupted(int signal_number)
{
	/* only interrupts read(2) with EINTR, so that the terminal's echo is restored */
}

/*
 * Read one line from the terminal without echo. Return: bytes, or -errno: -EINTR after a signal,
 * -EMSGSIZE if the line may have been cut, or if more lines follow (a pasted key).
 */
static ssize_t read_hidden(const char *name, char *value, size_t room)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction catch = {.sa_handler = interrupted}, old[ARRAY_SIZE(signals)];
	struct termios before, hidden;
	int more = 0;
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &catch, &old[i]);
	/* print the prompt after this call, which drops all input that was typed before */
	n = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	if (n == 0) {
		(void)fprintf(stderr, "value of %s (not shown): ", name);
		(void)fflush(stderr);
		n = read(STDIN_FILENO, value, room);
	}
	n = n < 0 ? -errno : n;
	if (n >= TERMINAL_LINE_MAX || (n > 0 && ioctl(STDIN_FILENO, FIONREAD, &more) == 0 && more))
		n = -EMSGSIZE;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &old[i], NULL);
	(void)fputc('\n', stderr);
	return n;
}

/* Read the value from standard input. Return: CLI_OK, or an exit code with @error. */
static enum cli_exit value_read(const char *name, bool raw, char *value, size_t *ret_size,
				struct error *error)
{
	bool tty = isatty(STDIN_FILENO);
	ssize_t n = tty ? read_hidden(name, value, VALUE_ROOM)
			: fd_read_all(STDIN_FILENO, value, VALUE_ROOM);

	if (n == -EINTR) {
		(void)error_set(error, EINTR, "nothing was set");
		return CLI_INTERRUPTED;
	}
	if (n == -EMSGSIZE) {
		(void)error_set(error, EMSGSIZE,
				"a terminal takes one line of less than %d bytes: give the value "
				"from a file, with \"<FILE\"; nothing was set",
				TERMINAL_LINE_MAX);
		return CLI_USAGE;
	}
	if (n < 0) {
		(void)error_errno(error, (int)-n, "cannot read the value from standard input");
		return CLI_REFUSED;
	}
	/* echo(1) and editors append a newline, which rarely belongs to the value */
	if ((!raw || tty) && n > 0 && value[n - 1] == '\n')
		n -= n > 1 && value[n - 2] == '\r' ? 2 : 1;
	if (n == 0)
		(void)error_set(error, EINVAL, "the value is empty: give it on standard input");
	else if ((size_t)n > SECRET_VALUE_MAX)
		(void)error_set(error, E2BIG,
				"the value is longer than %llu bytes: store it encrypted in the "
				"repository, and only its key as a secret",
				SECRET_VALUE_MAX);
	else if (memchr(value, '\0', (size_t)n))
		(void)error_set(error, EINVAL,
				"the value has a NUL byte, which no variable can have: encode it, "
				"for example with base64");
	*ret_size = (size_t)n;
	return error->number ? CLI_USAGE : CLI_OK;
}

/* ---- sealing ---- */

/* Seal @value. Return: base64, malloc'ed; NULL if @key is not a key or without memory. */
static char *value_seal(const char *key, const char *value, size_t size)
{
	unsigned char public_key[crypto_box_PUBLICKEYBYTES];
	size_t n_key = 0, n_sealed = size + crypto_box_SEALBYTES;
	size_t room = sodium_base64_ENCODED_LEN(n_sealed, sodium_base64_VARIANT_ORIGINAL);
	cleanup_free unsigned char *sealed = malloc(n_sealed);
	char *text = malloc(room);

	if (sealed && text &&
	    sodium_base642bin(public_key, sizeof(public_key), key, strlen(key), NULL, &n_key, NULL,
			      sodium_base64_VARIANT_ORIGINAL) == 0 &&
	    n_key == sizeof(public_key) &&
	    crypto_box_seal(sealed, (const unsigned char *)value, size, public_key) == 0)
		return sodium_bin2base64(text, room, sealed, n_sealed,
					 sodium_base64_VARIANT_ORIGINAL);
	free(text);
	return NULL;
}

struct target {
	const char *project, *env, *name;
};

/* Send the value once. *@ret_stale is set if the scheduler has restarted and has a new key. */
static enum cli_exit value_send(struct cli *cli, const struct target *target, const char *value,
				size_t size, json_t **ret_answer, bool *ret_stale,
				struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	cleanup_json json_t *key = NULL, *body = NULL;
	struct client_request request = {.method = "POST"};
	cleanup_free char *sealed = NULL, *text = NULL;
	char path[PROJECT_NAME_MAX + 64];
	enum cli_exit code = client_get_json(cli->client, &key, error, "/api/v1/secrets/key");

	*ret_stale = false;
	if (code != CLI_OK)
		return code;
	sealed = value_seal(json_text(key, "public_key"), value, size);
	body = sealed ? json_pack("{s:s, s:s, s:s}", "env", target->env, "name", target->name,
				  "sealed", sealed)
		      : NULL;
	text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (!text) {
		(void)error_set(error, EPROTO,
				"the value cannot be sealed: out of memory, or "
				"runbookd gave no public key");
		return CLI_REFUSED;
	}
	(void)snprintf(path, sizeof(path), "/api/v1/projects/%s/secrets", target->project);
	request.path = path;
	request.body = text;
	code = client_call(cli->client, &request, &answer, error);
	*ret_stale = answer.status == 412;
	if (code == CLI_OK)
		*ret_answer = TAKE_PTR(answer.json);
	return code;
}

/* ---- commands ---- */

static enum cli_exit target_check(const struct cli_arguments *arguments, struct target *target,
				  struct error *error)
{
	const char *problem = NULL;

	*target = (struct target){.project = arguments->list[0]};
	if (arguments->n > 1)
		target->env = arguments->list[1];
	if (arguments->n > 2)
		target->name = arguments->list[2];
	if (!project_name_valid(target->project))
		(void)error_set(error, EINVAL, "\"%s\" is not a project name", target->project);
	else if (target->env && !secret_env_valid(target->env))
		(void)error_set(error, EINVAL,
				"ENV must be a value of the steps' variable ENV: 1 to %d printable "
				"bytes",
				SECRET_ENV_MAX);
	else if (target->name && (problem = secret_name_problem(target->name)))
		(void)error_set(error, EINVAL, "%s", problem);
	return error->number ? CLI_USAGE : CLI_OK;
}

static int run_secret_set(struct cli *cli, const struct cli_arguments *arguments)
{
	const struct rlimit none = {0, 0};
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	struct target target;
	bool stale = true;
	size_t size = 0;
	enum cli_exit code;
	char *value;

	if (target_check(arguments, &target, &error) != CLI_OK)
		return cli_usage("secret set", "%s", error.text);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (sodium_init() < 0 || !(value = sodium_malloc(VALUE_ROOM))) {
		(void)error_set(&error, ENOMEM, "out of memory");
		return cli_fail(CLI_REFUSED, &error);
	}
	code = value_read(target.name, cli_flag(arguments, "raw"), value, &size, &error);
	for (int i = 0; code == CLI_OK && stale && i < SEALS_MAX; i++) {
		code = value_send(cli, &target, value, size, &answer, &stale, &error);
		if (stale && i + 1 < SEALS_MAX)
			code = CLI_OK;
	}
	sodium_free(value);
	if (code == CLI_USAGE)
		return cli_usage("secret set", "%s", error.text);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("%s: %s for ENV \"%s\" of %s\n", target.name,
			     json_text(answer, "change"), target.env, target.project);
	return CLI_OK;
}

static int run_secret_ls(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *answer = NULL;
	cleanup_table struct table table = {.headings = {"PROJECT", "ENV", "NAME", "AGE"},
					    .n_columns = 4};
	struct error error = ERROR_INIT;
	struct target target;
	enum cli_exit code;
	json_t *secret;
	size_t i, n = 0;

	if (arguments->n > 0 && target_check(arguments, &target, &error) != CLI_OK)
		return cli_usage("secret ls", "%s", error.text);
	code = arguments->n > 0 ? client_get_json(cli->client, &answer, &error,
						  "/api/v1/projects/%s/secrets", target.project)
				: client_get_json(cli->client, &answer, &error, "/api/v1/secrets");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(answer);
		return CLI_OK;
	}
	json_array_foreach (json_object_get(answer, "secrets"), i, secret) {
		char age[64];

		format_age(age, sizeof(age), wall_usec(), json_number(secret, "changed_usec"));
		table_row(&table);
		table_cell(&table, 0, json_text(secret, "project"));
		table_cell(&table, 1, json_text(secret, "env"));
		table_cell(&table, 2, json_text(secret, "name"));
		table_cell(&table, 3, age);
		n++;
	}
	if (n > 0)
		(void)table_print(&table, stdout, cli->color);
	else
		(void)puts("no secrets (\"runbookctl secret set PROJECT ENV NAME\")");
	if (json_has(answer, "problem"))
		cli_note("no step can get them: %s", json_text(answer, "problem"));
	return CLI_OK;
}

static int run_secret_rm(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *answer = NULL, *body = NULL;
	struct error error = ERROR_INIT;
	struct target target;
	enum cli_exit code;

	if (target_check(arguments, &target, &error) != CLI_OK)
		return cli_usage("secret rm", "%s", error.text);
	if (!target.name != cli_flag(arguments, "all"))
		return cli_usage("secret rm", "give either NAME or --all");
	body = json_pack("{s:s}", "env", target.env);
	if (body && target.name)
		(void)json_object_set_new(body, "name", json_string(target.name));
	code = client_post_json(cli->client, body, false, &answer, &error,
				"/api/v1/projects/%s/secrets/remove", target.project);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("%" PRIu64 " removed\n", json_number(answer, "removed"));
	return CLI_OK;
}

static int run_secret_rekey(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;

	code = client_post_json(cli->client, NULL, false, &answer, &error, "/api/v1/secrets/rekey");
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("%" PRIu64 " secrets, encrypted with the key %s now\n",
			     json_number(answer, "secrets"), json_text(answer, "key"));
	return CLI_OK;
}

static const struct cli_option set_options[] = {
	{"raw", 0, NULL, "keep the newline at the end of standard input"},
	{0},
};

static const struct cli_option rm_options[] = {
	{"all", 0, NULL, "every secret of ENV instead of one"},
	{0},
};

const struct cli_command cmd_secret_set = {
	.name = "secret set",
	.arguments = "PROJECT ENV NAME",
	.n_min = 3,
	.n_max = 3,
	.summary = "set a secret variable for the steps of an ENV",
	.description =
		"The value is read from standard input, without a newline at its end. Steps "
		"of the project\nwhose variable ENV has the value ENV get it as the variable "
		"NAME. It cannot be read back,\nonly replaced.",
	.options = set_options,
	.handler = run_secret_set,
};

const struct cli_command cmd_secret_ls = {
	.name = "secret ls",
	.arguments = "[PROJECT]",
	.n_max = 1,
	.summary = "list the names of secrets, never values",
	.handler = run_secret_ls,
};

const struct cli_command cmd_secret_rm = {
	.name = "secret rm",
	.arguments = "PROJECT ENV [NAME]",
	.n_min = 2,
	.n_max = 3,
	.summary = "remove a secret",
	.options = rm_options,
	.handler = run_secret_rm,
};

const struct cli_command cmd_secret_rekey = {
	.name = "secret rekey",
	.arguments = "",
	.summary = "encrypt all secrets with a new key and remove the old one",
	.description = "Older backups need the old key: make a new backup afterwards.",
	.handler = run_secret_rekey,
};
