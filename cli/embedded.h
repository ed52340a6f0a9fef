/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H

/*
 * DOC: An instance for one run
 *
 * "runbookctl run" as root without a daemon starts one of its own: a fresh
 * directory that only root can list, a configuration that listens nowhere but on
 * the unix socket, one project whose workspace is the directory, and runbookd
 * on top. runbookd gets a mount namespace of its own, so that an effective
 * runbook (--step, --image, --env) can be laid over runbook.yml for it alone:
 * nothing is written into the working copy, and steps see the file as it is.
 * When runbookctl dies, the kernel sends runbookd SIGTERM; the directory that is
 * left then goes when the next instance starts.
 */

#include "common/error.h"

#include <limits.h>
#include <sys/types.h>

/* sockets below it must fit into sockaddr_un */
#define EMBEDDED_ROOT_MAX 72

struct embedded {
	char root[EMBEDDED_ROOT_MAX]; /* "" when nothing is there to remove */
	pid_t pid;		      /* runbookd, 0 when it does not run */
	int lock_fd;		      /* flock(2) on ROOT/lock: somebody is responsible for it */
};

struct embedded_options {
	const char *directory;	  /* absolute: the working copy; NULL: there is no project */
	const char *images;	  /* state directory whose images it uses */
	const char *project;	  /* its project's name */
	const char *runbook_text; /* instead of DIRECTORY/runbook.yml; may be NULL */
};

/**
 * embedded_start() - start it and wait until it is ready
 *
 * Return: 0 or -errno with @error; then nothing is left behind. -EINTR when a
 * signal that the caller has blocked (SIGINT, SIGTERM, SIGHUP) is waiting.
 */
int embedded_start(const struct embedded_options *options, struct embedded *ret_embedded,
		   struct error *error);
/** embedded_log_tail() - the end of what runbookd logged, without a last newline */
void embedded_log_tail(const struct embedded *embedded, char *out, size_t size);

/**
 * embedded_stop() - stop runbookd, wait for it, remove every file
 *
 * Return: 0, or -errno with @error when something could not be removed.
 */
int embedded_stop(struct embedded *embedded, struct error *error);

#endif
