/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_options.h"

#include "common/cleanup.h"
#include "common/image.h"
#include "common/names.h"
#include "common/step_user.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef int (*option_fn)(struct options *options, const char *value);

static int set_root(struct options *options, const char *value)
{
	options->root = value;
	return 0;
}

static int set_image(struct options *options, const char *value)
{
	options->image = strcmp(value, "host") == 0 ? "host" : realpath(value, NULL);
	if (options->image)
		return 0;
	/* a value that is not a path may be the name of an image in the store */
	if (value[0] == '/' || value[0] == '.' || !image_name_valid(image_name_strip(value)))
		return -errno;
	options->stored = value;
	options->image = value;
	return 0;
}

static int add_rule(struct network_rule *rules, size_t *n, const char *value)
{
	struct error error = ERROR_INIT;

	if (*n == NETWORK_RULES_MAX)
		return -EINVAL;
	if (network_rule_parse(value, &rules[*n], &error) < 0) {
		(void)fprintf(stderr, "runbook-sandbox: %s\n", error.text);
		return -EINVAL;
	}
	(*n)++;
	return 0;
}

static int add_allow(struct options *options, const char *value)
{
	return add_rule(options->allow, &options->n_allow, value);
}

static int add_only(struct options *options, const char *value)
{
	return add_rule(options->only, &options->n_only, value);
}

static int set_workspace(struct options *options, const char *value)
{
	options->workspace = realpath(value, NULL);
	return options->workspace ? 0 : -errno;
}

static int set_workdir(struct options *options, const char *value)
{
	options->workdir = value;
	return 0;
}

static int set_user(struct options *options, const char *value)
{
	options->user = value;
	return step_user_valid(value) ? 0 : -EINVAL;
}

static int set_tty(struct options *options, const char *value)
{
	options->tty = true;
	return 0;
}

static int set_hostname(struct options *options, const char *value)
{
	options->hostname = value;
	return 0;
}

static int set_network(struct options *options, const char *value)
{
	static const char *const names[STEP_NETWORK_NUM] = {[STEP_NETWORK_EGRESS] = "egress",
							    [STEP_NETWORK_NONE] = "none",
							    [STEP_NETWORK_ISOLATED] = "isolated"};

	for (int i = 0; i < STEP_NETWORK_NUM; i++) {
		if (strcmp(value, names[i]) == 0) {
			options->network = (enum step_network)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_memory(struct options *options, const char *value)
{
	return parse_size(value, &options->memory);
}

static int set_disk(struct options *options, const char *value)
{
	return parse_size(value, &options->disk);
}

static int set_pids(struct options *options, const char *value)
{
	char *end;

	errno = 0;
	options->pids = strtoull(value, &end, 10);
	return errno || *end || end == value || *value == '-' || options->pids == 0 ? -EINVAL : 0;
}

static int set_cpus(struct options *options, const char *value)
{
	return parse_cpus(value, &options->cpu_milli);
}

/* Parses 20M for both directions, or parts of read=20M,write=5M,read_ops=500,write_ops=100. */
static int set_io(struct options *options, const char *value)
{
	struct sandbox_io *io = &options->io;
	char *const words[] = {(char *)"read", (char *)"write", (char *)"read_ops",
			       (char *)"write_ops", NULL};
	uint64_t *const fields[] = {&io->read, &io->write, &io->read_ops, &io->write_ops};
	cleanup_free char *copy = strdup(value);
	char *rest = copy, *text;

	if (!copy)
		return -ENOMEM;
	if (!strchr(value, '=')) {
		int r = parse_size(value, &io->read);

		io->write = io->read;
		return r < 0 || io->read == 0 ? -EINVAL : 0;
	}
	while (*rest) {
		int which = getsubopt(&rest, words, &text);

		/* a number of operations may have a suffix, too: 2K is clear */
		if (which < 0 || !text || parse_size(text, fields[which]) < 0 ||
		    *fields[which] == 0)
			return -EINVAL;
	}
	return 0;
}

static int set_timeout(struct options *options, const char *value)
{
	return parse_duration(value, &options->timeout_sec);
}

static int set_grace(struct options *options, const char *value)
{
	return parse_duration(value, &options->grace_sec);
}

/* Parses SRC:DST[:ro]. A writable bind maps its owner to root, so that files can be changed. */
static int add_bind(struct options *options, const char *value)
{
	char *copy = strdup(value);
	char *target = copy ? strchr(copy, ':') : NULL;
	char *mode = target ? strchr(target + 1, ':') : NULL;
	struct sandbox_bind *bind = &options->binds[options->n_binds];
	struct stat st;

	if (!target || options->n_binds == BINDS_MAX) {
		free(copy);
		return -EINVAL;
	}
	*target++ = '\0';
	if (mode)
		*mode++ = '\0';
	bind->source = realpath(copy, NULL);
	bind->target = target; /* owns the copy */
	if (!bind->source || stat(bind->source, &st) < 0)
		return -errno;
	if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return -EINVAL;
	bind->writable = !mode || strcmp(mode, "rw") == 0;
	bind->idmap = bind->writable;
	bind->owner_uid = st.st_uid;
	bind->owner_gid = st.st_gid;
	options->n_binds++;
	return 0;
}

static int add_env(struct options *options, const char *value)
{
	const char *equals = strchr(value, '=');
	char name[300];

	if (!equals || (size_t)(equals - value) >= sizeof(name) || options->n_env == ENV_MAX)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - value), value);
	if (!env_name_valid(name))
		return -EINVAL;
	options->env[options->n_env++] = (char *)value;
	return 0;
}

static int set_explain(struct options *options, const char *value)
{
	options->explain = true;
	return 0;
}

static int set_json(struct options *options, const char *value)
{
	options->json = true;
	return 0;
}

static int set_gateway(struct options *options, const char *value)
{
	options->gateway = true;
	return 0;
}

static int set_seccomp_list(struct options *options, const char *value)
{
	options->seccomp_list = true;
	return 0;
}

static int set_seccomp_report(struct options *options, const char *value)
{
	options->seccomp_report = true;
	options->seccomp_report_file = value;
	return value && !*value ? -EINVAL : 0;
}

static const struct {
	const char *name;
	const char *argument; /* NULL: a switch; "[=...": optional */
	option_fn set;
	const char *help;
} option_table[] = {
	{"image", "IMAGE", set_image, "\"host\" (default), a directory, or the name of an image"},
	{"network", "NETWORK", set_network, "none (default), egress, or isolated"},
	{"allow", "DEST", add_allow,
	 "with egress: reach this private address as well, such as 10.1.2.0/24:443"},
	{"only", "DEST", add_only, "with egress: reach nothing but this"},
	{"gateway", NULL, set_gateway,
	 "with egress: go through a namespace, as runbookd's steps do"},
	{"workspace", "DIR", set_workspace, "show DIR as /workspace, copy-on-write"},
	{"memory", "SIZE", set_memory, "hard limit, such as 512M (default none)"},
	{"pids", "N", set_pids,
	 "most processes and threads at once (default 4096, where the host can)"},
	{"cpus", "N", set_cpus, "processors, such as 1.5 (default all)"},
	{"io", "LIMIT", set_io,
	 "bytes per second and disk, such as 20M or read=20M,write_ops=100 (default none)"},
	{"disk", "SIZE", set_disk,
	 "most bytes it may write; they are kept in memory (default half of it)"},
	{"bind", "SRC:DST[:ro]", add_bind, "show SRC of the host at DST"},
	{"env", "NAME=VALUE", add_env, "add to the environment"},
	{"workdir", "DIR", set_workdir,
	 "start there (default /workspace); it is made when it is not there"},
	{"user", "USER[:GROUP]", set_user, "names of the image or numbers (default the image's)"},
	{"tty", NULL, set_tty, "give it a terminal of 80x24; what it prints goes to stdout"},
	{"hostname", "NAME", set_hostname, "name of the host inside"},
	{"timeout", "TIME", set_timeout, "end it after TIME, such as 90s or 15m; exit 124"},
	{"grace", "TIME", set_grace,
	 "after that, wait TIME between SIGTERM and kill (default 10s)"},
	{"root", "DIR", set_root, "keep state beneath DIR (or $RUNBOOK_ROOT)"},
	{"explain", NULL, set_explain, "print what would be done, and do nothing"},
	{"json", NULL, set_json, "with --explain: as JSON"},
	{"seccomp-report", "[=FILE]", set_seccomp_report,
	 "say at the end which system calls were denied"},
	{"seccomp-list", NULL, set_seccomp_list,
	 "print what is said to each system call, and do nothing"},
};

static bool optional(size_t i)
{
	return option_table[i].argument && option_table[i].argument[0] == '[';
}

static void print_help(void)
{
	(void)printf("Usage: runbook-sandbox [OPTION]... [--] COMMAND [ARGUMENT]...\n"
		     "Run COMMAND in a sandbox of its own.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		char left[40];

		(void)snprintf(left, sizeof(left), "--%s%s%s", option_table[i].name,
			       option_table[i].argument && !optional(i) ? " " : "",
			       option_table[i].argument ? option_table[i].argument : "");
		(void)printf("  %-24s %s\n", left, option_table[i].help);
	}
	(void)printf(
		"  --help, --version\n\n"
		"A given --memory, --pids, --cpus or --io that this host cannot apply is refused\n"
		"with status 125; --explain shows which it can apply.\n\n"
		"Exit status: the command's; 124 timeout, 125 the sandbox could not be built,\n"
		"126 not executable, 127 not found, 128+N ended by signal N.\n");
}

static int usage(const char *problem, const char *name, const char *value)
{
	(void)fprintf(stderr, "runbook-sandbox: %s%s%s%s%s; see runbook-sandbox --help\n", problem,
		      name, value ? ": bad value \"" : "", value ? value : "", value ? "\"" : "");
	return -EXIT_USAGE;
}

int sandbox_options_parse(struct options *options, int argc, char **argv)
{
	struct option table[ARRAY_SIZE(option_table) + 3] = {{0}};
	size_t n = ARRAY_SIZE(option_table);
	int c;

	for (size_t i = 0; i < n; i++)
		table[i] = (struct option){option_table[i].name,
					   optional(i)		      ? optional_argument
					   : option_table[i].argument ? required_argument
								      : no_argument,
					   NULL, (int)i};
	table[n] = (struct option){"help", no_argument, NULL, 'h'};
	table[n + 1] = (struct option){"version", no_argument, NULL, 'V'};
	_Static_assert(ARRAY_SIZE(option_table) < 'A', "indexes do not meet letters");
	while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return 0;
		}
		if (c == 'V') {
			(void)printf("runbook-sandbox " RUNBOOK_VERSION "\n");
			return 0;
		}
		if (c == '?') {
			(void)fprintf(stderr, "see runbook-sandbox --help\n");
			return -EXIT_USAGE;
		}
		if (option_table[c].set(options, optarg) < 0)
			return usage("option --", option_table[c].name, optarg);
	}
	if (options->json && !options->explain)
		return usage("--json goes with --explain", "", NULL);
	if (options->seccomp_list)
		return argc;
	if (optind >= argc)
		return usage("no command given", "", NULL);
	return optind;
}
