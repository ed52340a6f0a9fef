/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REMOVE_H
#define DAEMON_LOG_REMOVE_H

/*
 * DOC: Removing the logs of a run
 *
 * Retention in the scheduler decides which logs are removed, and sends the names of a
 * project and a run. Logs belong to root, so root removes them: by these two names alone,
 * beneath the log directory, never through a symbolic link, and never the logs of a run of
 * which runbookd still has a step. A run may have ten thousand logs: each turn of the loop
 * removes some files, so that others are served in between.
 */

#include "daemon/daemon.h"

struct log_remover;

/** log_remover_new() - a remover without work. Return: 0 or -ENOMEM. */
int log_remover_new(struct daemon *daemon, struct log_remover **ret_remover);
/**
 * log_remover_free() - forget waiting removals, which the scheduler requests again
 *
 * NULL is fine. Return: NULL.
 */
struct log_remover *log_remover_free(struct log_remover *remover);
/**
 * log_remove() - remove the logs of @run; LOG_REMOVED is sent at the end
 * @project: a valid name, checked by the caller
 *
 * Return: 0; -EBUSY when more removals wait than a scheduler ever requests; -ENOMEM.
 */
int log_remove(struct log_remover *remover, const char *project, uint64_t run);

/* ---- a piece, public for tests ---- */

/**
 * log_remove_some() - remove up to @most files of a run's directory beneath @log_fd
 *
 * Return: 1 when the directory is removed or did not exist; 0 when there is more to do;
 * -errno: -ENOTEMPTY when something in it is not a file.
 */
int log_remove_some(int log_fd, const char *project, uint64_t run, unsigned most);

#endif
