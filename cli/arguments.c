/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "common/cleanup.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

/* values of getopt_long(), above every letter */
#define OPTION_BASE 1000
#define OPTIONS_MAX 32

static const struct cli_option global_options[] = {
	{"root", 0, "DIR", NULL},  {"json", 0, NULL, NULL}, {"no-color", 0, NULL, NULL},
	{"help", 'h', NULL, NULL}, {NULL, 0, NULL, NULL},
};

bool cli_flag(const struct cli_arguments *arguments, const char *name)
{
	for (size_t i = 0; i < arguments->n_given; i++)
		if (strcmp(arguments->given[i].name, name) == 0)
			return true;
	return false;
}

const char *cli_value(const struct cli_arguments *arguments, const char *name)
{
	for (size_t i = arguments->n_given; i > 0; i--)
		if (strcmp(arguments->given[i - 1].name, name) == 0)
			return arguments->given[i - 1].value;
	return NULL;
}

const char *cli_next_value(const struct cli_arguments *arguments, const char *name, size_t *cursor)
{
	while (*cursor < arguments->n_given) {
		size_t i = (*cursor)++;

		if (strcmp(arguments->given[i].name, name) == 0)
			return arguments->given[i].value;
	}
	return NULL;
}

struct option_set {
	const struct cli_option *known[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
	size_t n;
};

static void option_set_add(struct option_set *set, const struct cli_option *options)
{
	for (; options && options->name && set->n < OPTIONS_MAX; options++) {
		size_t length = strlen(set->shorts);

		set->known[set->n] = options;
		set->longs[set->n] = (struct option){
			.name = options->name,
			.has_arg = options->argument ? required_argument : no_argument,
			.val = (int)(OPTION_BASE + set->n),
		};
		set->n++;
		if (!options->letter)
			continue;
		set->shorts[length++] = options->letter;
		if (options->argument)
			set->shorts[length++] = ':';
		set->shorts[length] = '\0';
	}
}

static const struct cli_option *option_set_find(const struct option_set *set, int value)
{
	if (value >= OPTION_BASE && value < OPTION_BASE + (int)set->n)
		return set->known[value - OPTION_BASE];
	for (size_t i = 0; i < set->n; i++)
		if (set->known[i]->letter && set->known[i]->letter == value)
			return set->known[i];
	return NULL;
}

static int option_error(int outcome, char *const *argv, struct error *error)
{
	const char *word = optind > 0 ? argv[optind - 1] : "";

	if (outcome == ':')
		return error_set(error, EINVAL, "option \"%s\" needs a value", word);
	if (optopt >= OPTION_BASE)
		return error_set(error, EINVAL, "option \"%s\" takes no value", word);
	if (optopt > 0)
		return error_set(error, EINVAL, "unknown option \"-%c\"", optopt);
	return error_set(error, EINVAL, "unknown or ambiguous option \"%s\"", word);
}

static int parse_option(const struct cli_option *option, struct cli *cli,
			struct cli_arguments *arguments, struct error *error)
{
	if (strcmp(option->name, "help") == 0)
		return 1;
	if (strcmp(option->name, "json") == 0) {
		cli->json = true;
		return 0;
	}
	if (strcmp(option->name, "no-color") == 0) {
		cli->color = false;
		return 0;
	}
	if (strcmp(option->name, "root") == 0)
		return paths_init(&cli->paths, optarg, error);
	if (arguments->n_given == CLI_GIVEN_MAX)
		return error_set(error, E2BIG, "more than %d options", CLI_GIVEN_MAX);
	arguments->given[arguments->n_given].name = option->name;
	arguments->given[arguments->n_given++].value = optarg;
	return 0;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *cli,
	      struct cli_arguments *arguments, struct error *error)
{
	struct option_set set = {.shorts = ":"};
	int outcome;

	*arguments = (struct cli_arguments){0};
	option_set_add(&set, command->options);
	option_set_add(&set, global_options);
	optind = 0; /* reset getopt as getopt(3) describes for glibc */
	opterr = 0;
	while ((outcome = getopt_long(argc, argv, set.shorts, set.longs, NULL)) != -1) {
		const struct cli_option *option = option_set_find(&set, outcome);
		int result;

		if (!option)
			return option_error(outcome, argv, error);
		result = parse_option(option, cli, arguments, error);
		if (result != 0)
			return result;
	}
	arguments->list = argv + optind;
	arguments->n = (size_t)(argc - optind);
	if (arguments->n < command->n_min)
		return error_set(error, EINVAL, "an argument is missing: %s %s", command->name,
				 command->arguments);
	if (arguments->n > command->n_max)
		return error_set(error, EINVAL, "argument \"%s\" is one too many",
				 arguments->list[command->n_max]);
	return 0;
}
