/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REGISTER_H
#define DAEMON_LOG_REGISTER_H

/*
 * DOC: Which logs are being written
 *
 * A file with a slot for each step that can run, lib/logs.open: what is in it at the
 * start was not finished by the runbookd before, and is repaired (daemon/log_repair.h).
 * So a crash costs the repair of the logs that were open, not a look at all there are.
 *
 * A slot is written in place, without a journal or a flush: 192 bytes on the way of a
 * step. Its writing to the disk is begun at once, so that a power cut hides
 * little more from it than it hides from the log.
 *
 *   header  64 bytes: u32 magic "RBL1", u32 slots, boot id as text, zeroes
 *   slot   192 bytes: u64 run, u64 attempt, project, slug (both with NUL), zeroes;
 *          run 0: free
 */

#include "common/error.h"
#include "common/paths.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_REGISTER_NAME "logs.open"

struct log_register;

/** log_open_fn - is this log being written? */
typedef bool (*log_open_fn)(const void *userdata, const char *project, uint64_t run,
			    const char *slug, uint64_t attempt);

/**
 * log_register_new() - open it, repair what it names, and begin anew
 * @is_open: logs of steps that go on are left alone; NULL: there are none
 *
 * What cannot be repaired is logged and left alone. Return: 0, or -errno with
 * @error when there can be no register.
 */
int log_register_new(const struct paths *paths, log_open_fn is_open, const void *userdata,
		     struct log_register **ret_register, struct error *error);
/** log_register_free() - NULL is fine. Return: NULL. */
struct log_register *log_register_free(struct log_register *logs);

/**
 * log_register_add() - a log is open from now on; all names were checked
 *
 * Return: its slot; -1 when it could not be noted, which only costs its repair.
 */
int log_register_add(struct log_register *logs, const char *project, uint64_t run, const char *slug,
		     uint64_t attempt);
/** log_register_remove() - the log is complete and synced. -1 is fine. */
void log_register_remove(struct log_register *logs, int slot);

#endif
