/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbook-webhook: the only program that listens to the Internet. It holds the
 * webhook secrets and the listening sockets that it was given, and nothing else:
 * no file, no way to open one, no way to make a connection or start a program.
 */
#include "common/isolation.h"
#include "common/log.h"
#include "common/paths.h"
#include "webhook/payload.h"
#include "webhook/service.h"
#include "webhook/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *file)
{
	fputs("Usage: runbook-webhook [--root DIR]\n"
	      "\n"
	      "Takes webhooks of forges. Started by runbookd, with a channel on descriptor 3.\n"
	      "\n"
	      "  --root DIR  instance whose paths lie under DIR (default $RUNBOOK_ROOT)\n"
	      "  --help      this text\n"
	      "  --version   version of runbookd\n",
	      file);
}

static void parse_options(int argc, char **argv)
{
	enum { OPTION_ROOT = 1, OPTION_HELP, OPTION_VERSION };
	static const struct option options[] = {
		{"root", required_argument, NULL, OPTION_ROOT},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case OPTION_ROOT:
			break; /* every program takes it; this one has no paths */
		case OPTION_HELP:
			usage(stdout);
			exit(0);
		case OPTION_VERSION:
			puts("runbook-webhook " RUNBOOK_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "runbook-webhook: unexpected argument \"%s\", remove it\n",
			      argv[optind]);
		exit(2);
	}
	if (fcntl(CHANNEL_FD, F_GETFD) < 0) {
		(void)fputs("runbook-webhook: descriptor 3 is not open; this program is started by "
			    "runbookd, start that instead\n",
			    stderr);
		exit(2);
	}
}

/* Sockets come open and listening; all that is left is to accept. */
static const char *const webhook_syscalls[] = {"accept4", "accept", NULL};

static int passport(struct error *error)
{
	struct role_user user = role_user(ROLE_WEBHOOK);
	int r = isolate_fds(CHANNEL_FD, error);

	if (r < 0)
		return r;
	log_open("runbook-webhook"); /* its socket is opened while that is possible */
	r = isolate_user(user, error);
	if (r == 0)
		r = isolate_filesystem(NULL, 0, error);
	if (r == 0)
		r = isolate_syscalls(webhook_syscalls, error);
	return r;
}

static void on_signal(void *userdata, int signal_number)
{
	service_stop(userdata);
}

static int run(struct error *error)
{
	static const int signals[] = {SIGTERM, SIGINT, 0};
	static struct service service;
	struct loop *loop = NULL;
	int r;

	r = loop_new(&loop);
	if (r == 0)
		r = loop_signals(loop, signals, on_signal, &service);
	if (r < 0)
		return error_errno(error, -r, "cannot make the event loop");
	r = service_init(&service, loop, CHANNEL_FD, error);
	if (r < 0)
		return r;
	r = loop_run(loop);
	service_close(&service);
	if (!service.draining)
		loop = loop_free(loop);
	return r;
}

int main(int argc, char **argv)
{
	struct error error = ERROR_INIT;
	int r;

	parse_options(argc, argv);
	r = signature_init();
	if (r < 0) {
		(void)fputs("runbook-webhook: libsodium cannot be initialised\n", stderr);
		return 1;
	}
	payload_init();
	(void)mallopt(M_ARENA_MAX, 2);
	r = passport(&error);
	if (r == 0)
		r = run(&error);
	if (r < 0) {
		if (error.number)
			log_error("%s", error.text);
		return 1;
	}
	return r;
}
