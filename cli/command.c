/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "cli/client.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = {
	&cmd_run,
	&cmd_validate,
	&cmd_graph,
	&cmd_trigger,
	&cmd_runs,
	&cmd_show,
	&cmd_logs,
	&cmd_cancel,
	&cmd_retry,
	&cmd_artifacts_ls,
	&cmd_artifacts_get,
	&cmd_artifacts_put,
	&cmd_queue,
	&cmd_project_add,
	&cmd_project_ls,
	&cmd_project_show,
	&cmd_project_rm,
	&cmd_project_pause,
	&cmd_project_unpause,
	&cmd_image_pull,
	&cmd_image_import,
	&cmd_image_ls,
	&cmd_image_rm,
	&cmd_image_prune,
	&cmd_secret_set,
	&cmd_secret_ls,
	&cmd_secret_rm,
	&cmd_secret_rekey,
	&cmd_gc,
	&cmd_pin,
	&cmd_unpin,
	&cmd_backup,
	&cmd_restore,
	&cmd_status,
	&cmd_doctor,
	NULL,
};

/* Return: number of words of @command->name if @argv starts with all of them, otherwise 0. */
static int command_match(const struct cli_command *command, int argc, char *const *argv)
{
	const char *space = strchr(command->name, ' ');

	if (!space)
		return argc >= 1 && strcmp(argv[0], command->name) == 0 ? 1 : 0;
	if (argc < 2 || strcmp(argv[1], space + 1) != 0)
		return 0;
	if (strlen(argv[0]) != (size_t)(space - command->name))
		return 0;
	return strncmp(argv[0], command->name, strlen(argv[0])) == 0 ? 2 : 0;
}

const struct cli_command *cli_find_command(int argc, char *const *argv, int *ret_words)
{
	for (const struct cli_command *const *entry = commands; *entry; entry++) {
		int words = command_match(*entry, argc, argv);

		if (words > 0) {
			*ret_words = words;
			return *entry;
		}
	}
	return NULL;
}

const char *cli_nearest_command(const char *word)
{
	const char *nearest = NULL;
	size_t best = 3; /* with more than two typing errors it is another word */

	for (const struct cli_command *const *entry = commands; *entry; entry++) {
		size_t distance = text_distance(word, (*entry)->name);

		if (distance < best && distance < strlen(word)) {
			best = distance;
			nearest = (*entry)->name;
		}
	}
	return nearest;
}

static void print_command_help(const struct cli_command *command)
{
	const struct cli_option *option = command->options;

	(void)printf("Usage: runbookctl %s%s%s%s\n\n%s\n", command->name,
		     option && option->name ? " [OPTIONS]" : "", *command->arguments ? " " : "",
		     command->arguments, command->summary);
	if (command->description)
		(void)printf("\n%s\n", command->description);
	(void)puts("\nOptions:");
	for (; option && option->name; option++) {
		char letter[6] = "    ";
		char left[64];

		if (option->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
			       option->argument ? " " : "",
			       option->argument ? option->argument : "");
		(void)printf("  %-28s %s\n", left, option->help);
	}
	(void)puts("      --root DIR               use the instance whose files are under DIR\n"
		   "      --json                   machine-readable output\n"
		   "      --no-color               no colours (also $NO_COLOR)\n"
		   "  -h, --help                   this text");
}

static void print_help(void)
{
	(void)puts("Usage: runbookctl [--root DIR] [--json] [--no-color] COMMAND [ARGUMENTS]\n\n"
		   "Commands:");
	for (const struct cli_command *const *entry = commands; *entry; entry++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", (*entry)->name,
			       *(*entry)->arguments ? " " : "", (*entry)->arguments);
		(void)printf("  %-34s %s\n", left, (*entry)->summary);
	}
	(void)puts(
		"\n\"runbookctl COMMAND --help\" explains a command. Exit codes: 0 success, 1 "
		"the run or step\nfailed, 2 usage, 3 not found, 4 daemon unreachable, 5 refused.");
}

static int unknown_command(int argc, char *const *argv)
{
	size_t length = strlen(argv[0]);
	const char *nearest;

	for (const struct cli_command *const *entry = commands; *entry; entry++) {
		const char *name = (*entry)->name;

		if (strncmp(name, argv[0], length) != 0 || name[length] != ' ')
			continue;
		if (argc < 2 || argv[1][0] == '-')
			return cli_usage("", "\"%s\" needs a second word, such as \"%s\"", argv[0],
					 name);
		return cli_usage("", "unknown command \"%s %s\" (an existing one is \"%s\")",
				 argv[0], argv[1], name);
	}
	nearest = cli_nearest_command(argv[0]);
	if (nearest)
		return cli_usage("", "unknown command \"%s\": did you mean \"%s\"?", argv[0],
				 nearest);
	return cli_usage("", "unknown command \"%s\"", argv[0]);
}

/* Parse the options in front of the command. Return: -1 to go on, or an exit code. */
static int front_options_parse(int argc, char **argv, struct cli *cli, struct error *error)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
		{"no-color", no_argument, NULL, 'n'},	{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	{0},
	};
	int outcome;

	opterr = 0;
	while ((outcome = getopt_long(argc, argv, "+:hV", options, NULL)) != -1) {
		switch (outcome) {
		case 'r':
			if (paths_init(&cli->paths, optarg, error) < 0)
				return cli_fail(CLI_USAGE, error);
			break;
		case 'j':
			cli->json = true;
			break;
		case 'n':
			cli->color = false;
			break;
		case 'h':
			print_help();
			return CLI_OK;
		case 'V':
			(void)puts("runbookctl " RUNBOOK_VERSION);
			return CLI_OK;
		case ':':
			return cli_usage("", "option \"%s\" needs a value", argv[optind - 1]);
		default:
			return cli_usage("", "unknown option \"%s\"", argv[optind - 1]);
		}
	}
	return -1;
}

static void cli_init_terminal(struct cli *cli)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	(void)setlocale(LC_CTYPE, "");
	cli->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (!cli->utf8) /* texts from the api are UTF-8 all the same, and need its widths */
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	cli->tty = isatty(STDOUT_FILENO);
	cli->terminal = cli->tty && term && *term && strcmp(term, "dumb") != 0;
	cli->color = cli->terminal && !(no_color && *no_color);
}

int cli_main(int argc, char **argv)
{
	struct error error = ERROR_INIT;
	struct cli_arguments arguments;
	const struct cli_command *command;
	struct cli cli = {0};
	int words = 0, code;

	cli_init_terminal(&cli);
	if (paths_init(&cli.paths, NULL, &error) < 0)
		return cli_fail(CLI_USAGE, &error);
	code = front_options_parse(argc, argv, &cli, &error);
	if (code >= 0)
		return code;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		print_help();
		return CLI_USAGE;
	}
	command = cli_find_command(argc, argv, &words);
	if (!command)
		return unknown_command(argc, argv);
	code = cli_parse(command, argc - words + 1, argv + words - 1, &cli, &arguments, &error);
	if (code > 0) {
		print_command_help(command);
		return CLI_OK;
	}
	if (code < 0)
		return cli_usage(command->name, "%s", error.text);
	cli.client = client_new(cli.paths.run);
	if (!cli.client) {
		cli_note("out of memory");
		return CLI_REFUSED;
	}
	code = command->handler(&cli, &arguments);
	cli.client = client_free(cli.client);
	if (fflush(stdout) != 0 && code == CLI_OK) {
		cli_note("cannot write the output: %s", strerror(errno));
		code = CLI_REFUSED;
	}
	return code;
}
