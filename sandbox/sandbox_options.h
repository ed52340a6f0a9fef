/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_OPTIONS_H
#define SANDBOX_SANDBOX_OPTIONS_H

/*
 * DOC: The command line of runbook-sandbox
 *
 * A table of options fills struct options; sandbox_main.c turns that into a request. The
 * options are documented in runbook-sandbox(1).
 */

#include "sandbox/sandbox.h"

/* Exit codes of runbook-sandbox itself; all others are the command's. */
enum {
	EXIT_USAGE = 2,
	EXIT_TIMEOUT = 124,
	EXIT_SANDBOX = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

#define BINDS_MAX 64
#define ENV_MAX 1024

/** struct options - the parsed command line; strings live as long as the program */
struct options {
	const char *root;
	const char *image;
	const char *stored; /* name in runbookd's store, NULL: use .image */
	const char *workspace;
	const char *workdir;
	const char *user;	    /* NULL: the image's */
	const char *passwd, *group; /* files of a stored image that resolve names */
	const char *hostname;
	enum step_network network;
	struct network_rule allow[NETWORK_RULES_MAX], only[NETWORK_RULES_MAX];
	size_t n_allow, n_only;
	uint64_t memory, pids, cpu_milli, disk, timeout_sec, grace_sec;
	struct sandbox_io io;
	struct sandbox_bind binds[BINDS_MAX];
	size_t n_binds;
	char *env[ENV_MAX + 1];
	size_t n_env;
	bool gateway;
	bool tty;
	bool explain;
	bool json;
	bool seccomp_list;
	bool seccomp_report;
	const char *seccomp_report_file; /* NULL: a table on standard error */
};

/**
 * sandbox_options_parse() - read the command line, and report errors on standard error
 *
 * Return: index of the command in @argv; 0 if nothing is left to do; minus the exit code.
 */
int sandbox_options_parse(struct options *options, int argc, char **argv);

#endif
