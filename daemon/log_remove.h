/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REMOVE_H
#define DAEMON_LOG_REMOVE_H

/*
 * DOC: Removing the logs of a run
 *
 * The scheduler decides when (its retention), and names a project and a run. Logs
 * belong to root, so root removes them: by those two names alone, beneath the log
 * directory, never through a symbolic link, and never those of a run of which a step
 * is known here. A run may have ten thousand of them: some files are removed, then
 * the loop serves others.
 */

#include "daemon/daemon.h"

struct log_remover;

/** log_remover_new() - Return: 0 or -ENOMEM */
int log_remover_new(struct daemon *daemon, struct log_remover **ret_remover);
/** log_remover_free() - what waits is forgotten: the scheduler asks again. Return: NULL. */
struct log_remover *log_remover_free(struct log_remover *remover);
/**
 * log_remove() - remove the logs of @run; LOG_REMOVED follows
 * @project: a valid name, checked by the caller
 *
 * Return: 0, -EBUSY when more wait than a scheduler ever asks for, or -ENOMEM.
 */
int log_remove(struct log_remover *remover, const char *project, uint64_t run);

/* ---- a piece, public for tests ---- */

/**
 * log_remove_some() - remove up to @most files of a run's directory beneath @log_fd
 *
 * Return: 1 when the directory is gone or was not there, 0 when there is more to do,
 * or -errno: -ENOTEMPTY, what is left in it is no log.
 */
int log_remove_some(int log_fd, const char *project, uint64_t run, unsigned most);

#endif
