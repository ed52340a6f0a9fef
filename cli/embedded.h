/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H

/*
 * DOC: An instance for one run
 *
 * "runbookctl run" as root without a running daemon starts an instance of its own. It
 * makes a temporary directory that only root can list, with a configuration that listens
 * on the unix socket only and a project whose workspace is the working copy, and starts
 * runbookd there. runbookd gets a mount namespace of its own, in which an effective
 * runbook (--step, --image, --env) is mounted over runbook.yml. So nothing is written
 * into the working copy, and steps see the original file.
 *
 * When runbookctl dies, the kernel sends SIGTERM to runbookd. The directory that is left
 * behind is removed when the next instance starts.
 */

#include "common/error.h"

#include <limits.h>
#include <sys/types.h>

/* the paths of sockets in it must fit into sockaddr_un */
#define EMBEDDED_ROOT_MAX 72

struct embedded {
	char root[EMBEDDED_ROOT_MAX]; /* "" when there is nothing to remove */
	pid_t pid;		      /* runbookd, 0 when it does not run */
	int lock_fd;		      /* flock(2) on ROOT/lock: the directory is in use */
};

struct embedded_options {
	const char *directory;	  /* absolute path of the working copy; NULL: no project */
	const char *images;	  /* state directory whose images are used */
	const char *project;	  /* name of the project */
	const char *runbook_text; /* replaces DIRECTORY/runbook.yml; may be NULL */
};

/**
 * embedded_start() - start the instance and wait until it is ready
 *
 * Return: 0, or -errno with @error, and nothing is left behind. -EINTR when one of
 * SIGINT, SIGTERM and SIGHUP, which the caller has blocked, is pending.
 */
int embedded_start(const struct embedded_options *options, struct embedded *ret_embedded,
		   struct error *error);
/** embedded_log_tail() - copy the end of runbookd's log, without the last newline */
void embedded_log_tail(const struct embedded *embedded, char *out, size_t size);

/**
 * embedded_stop() - stop runbookd, wait until it has exited, and remove all files
 *
 * Return: 0, or -errno with @error when a file could not be removed.
 */
int embedded_stop(struct embedded *embedded, struct error *error);

#endif
