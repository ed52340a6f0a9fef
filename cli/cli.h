/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * DOC: How runbookctl is put together
 *
 * command.c owns one table of commands; each command is a struct in a file of
 * its own (cmd_*.c) that names its arguments and options, so parsing, --help,
 * errors and completion all come from the same place. A handler returns the
 * exit code. Functions below the handlers never print: they fill a struct
 * error and return an enum cli_exit; the handler reports with cli_fail().
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
	CLI_NOT_FOUND = 3,   /* no such run, step, project, artifact */
	CLI_UNREACHABLE = 4, /* no daemon answers */
	CLI_REFUSED = 5,     /* the daemon or the system said no */
	CLI_INTERRUPTED = 130,
};

struct client;

/** struct cli - what every command gets: global options and the terminal's abilities */
struct cli {
	struct paths paths;
	bool json;     /* --json */
	bool tty;      /* stdout is a terminal of some kind: logs are made harmless for it */
	bool terminal; /* it can redraw lines */
	bool color;    /* stdout takes SGR colours */
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
	size_t n_min, n_max;	 /* how many of them */
	const char *summary;	 /* one line */
	const char *description; /* paragraphs of --help, may be NULL */
	const struct cli_option *options;
	int (*handler)(struct cli *cli, const struct cli_arguments *arguments);
};

/** cli_flag() - was the option @name given? */
bool cli_flag(const struct cli_arguments *arguments, const char *name);
/** cli_value() - value of the last --@name, NULL when it was not given */
const char *cli_value(const struct cli_arguments *arguments, const char *name);
/** cli_next_value() - values of a repeatable option, one after the other; start with *@cursor 0 */
const char *cli_next_value(const struct cli_arguments *arguments, const char *name, size_t *cursor);

/**
 * cli_parse() - options and arguments of @command out of @argv
 * @argv: starts with the command's own name
 * @cli:  global options that stand behind the command are stored here
 *
 * Return: 0, 1 when --help was asked for, or -EINVAL with @error set.
 */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *cli,
	      struct cli_arguments *arguments, struct error *error);

/** cli_find_command() - by its words; @ret_words is how many of @argv it took. NULL if unknown. */
const struct cli_command *cli_find_command(int argc, char *const *argv, int *ret_words);
/** cli_nearest_command() - the known command closest to @word, NULL when none is close */
const char *cli_nearest_command(const char *word);

/** cli_main() - everything runbookctl does; main() only calls it */
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
