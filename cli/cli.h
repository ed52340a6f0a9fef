/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * DOC: How runbookctl is put together
 *
 * command.c has the table of commands. Each command is a struct in a file of its own
 * (cmd_*.c) that lists its arguments and options, so parsing, --help, errors and
 * completion have the same source. The handler of a command returns the exit code.
 * Functions below the handlers do not print errors: they fill in a struct error and
 * return an enum cli_exit, and the handler reports it with cli_fail().
 *
 * Most commands only send requests to runbook-api (client.h). Texts in the answers are
 * not trusted, so they are escaped before they are printed.
 */

#include "common/error.h"
#include "common/paths.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** enum cli_exit - exit codes, promised to scripts */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	     /* the run or step failed, the file is not valid */
	CLI_USAGE = 2,	     /* wrong arguments */
	CLI_NOT_FOUND = 3,   /* no such run, step, project or artifact */
	CLI_UNREACHABLE = 4, /* the daemon does not answer */
	CLI_REFUSED = 5,     /* the daemon or the system refused it */
	CLI_INTERRUPTED = 130,
};

struct client;

/** struct cli - global options and the abilities of the terminal, for all commands */
struct cli {
	struct paths paths;
	bool json;     /* --json */
	bool tty;      /* stdout is a terminal of any kind, so logs must be filtered */
	bool terminal; /* the terminal can redraw lines */
	bool color;    /* use SGR colours on stdout */
	bool utf8;     /* the locale's code set is UTF-8 */
	struct client *client;
};

/** struct cli_option - one option of a command; a table of them ends with a NULL name */
struct cli_option {
	const char *name;
	char letter;	      /* 0: long form only */
	const char *argument; /* NULL: a flag; otherwise the name of its value for --help */
	const char *help;
};

#define CLI_GIVEN_MAX 256

/** struct cli_arguments - a parsed command line; pointers are into argv */
struct cli_arguments {
	char *const *list;
	size_t n;
	struct {
		const char *name;
		const char *value;
	} given[CLI_GIVEN_MAX];
	size_t n_given;
};

struct cli_command {
	const char *name;	 /* one or two words: "runs", "project add" */
	const char *arguments;	 /* "RUN [STEP]", "" for none */
	size_t n_min, n_max;	 /* least and largest number of arguments */
	const char *summary;	 /* one line */
	const char *description; /* paragraphs of --help, may be NULL */
	const struct cli_option *options;
	int (*handler)(struct cli *cli, const struct cli_arguments *arguments);
};

/** cli_flag() - was the option @name given? */
bool cli_flag(const struct cli_arguments *arguments, const char *name);
/** cli_value() - value of the last --@name, NULL when it was not given */
const char *cli_value(const struct cli_arguments *arguments, const char *name);
/** cli_next_value() - next value of a repeatable option, or NULL; start with *@cursor 0 */
const char *cli_next_value(const struct cli_arguments *arguments, const char *name, size_t *cursor);

/**
 * cli_parse() - parse the options and arguments of @command
 * @argv: starts with the last word of the command's name
 * @cli:  gets the global options that follow the command
 *
 * Return: 0, 1 when --help was given, or -errno with @error set.
 */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *cli,
	      struct cli_arguments *arguments, struct error *error);

/** cli_find_command() - the command that @argv begins with, or NULL; @ret_words: how many words */
const struct cli_command *cli_find_command(int argc, char *const *argv, int *ret_words);
/** cli_nearest_command() - the command whose name is most similar to @word, or NULL */
const char *cli_nearest_command(const char *word);

/** cli_main() - all of runbookctl; main() only calls it. Return: the exit code. */
int cli_main(int argc, char **argv);

extern const struct cli_command cmd_run;
extern const struct cli_command cmd_validate;
extern const struct cli_command cmd_graph;
extern const struct cli_command cmd_trigger;
extern const struct cli_command cmd_runs;
extern const struct cli_command cmd_show;
extern const struct cli_command cmd_logs;
extern const struct cli_command cmd_cancel;
extern const struct cli_command cmd_retry;
extern const struct cli_command cmd_artifacts_ls;
extern const struct cli_command cmd_artifacts_get;
extern const struct cli_command cmd_artifacts_put;
extern const struct cli_command cmd_queue;
extern const struct cli_command cmd_project_add;
extern const struct cli_command cmd_project_ls;
extern const struct cli_command cmd_project_show;
extern const struct cli_command cmd_project_rm;
extern const struct cli_command cmd_project_pause;
extern const struct cli_command cmd_project_unpause;
extern const struct cli_command cmd_image_pull;
extern const struct cli_command cmd_image_import;
extern const struct cli_command cmd_image_ls;
extern const struct cli_command cmd_image_rm;
extern const struct cli_command cmd_image_prune;
extern const struct cli_command cmd_gc;
extern const struct cli_command cmd_pin;
extern const struct cli_command cmd_unpin;
extern const struct cli_command cmd_backup;
extern const struct cli_command cmd_restore;
extern const struct cli_command cmd_secret_set;
extern const struct cli_command cmd_secret_ls;
extern const struct cli_command cmd_secret_rm;
extern const struct cli_command cmd_secret_rekey;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_doctor;

#endif
