/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REGISTER_H
#define DAEMON_LOG_REGISTER_H

/*
 * DOC: The register of open logs
 *
 * lib/logs.open is a file with a slot for each step that can run. A log that is in it when
 * runbookd starts was not finished by the runbookd before, and is repaired
 * (daemon/log_repair.h). So after a crash only the logs that were open are read, not all.
 *
 * A slot is 192 bytes, written in place without a journal or a flush, because each step
 * waits for it. Writeback is started soon after it (sync_file_range(2)), for all slots that
 * were written in 20 ms together, so that a power cut loses little more of the register than of
 * the log.
 *
 *   header  64 bytes: u32 magic "RBL1", u32 slots, boot id as text, zeroes
 *   slot   192 bytes: u64 run, u64 attempt, project, slug (both with NUL), zeroes;
 *          run 0: free
 */

#include "common/error.h"
#include "common/loop.h"
#include "common/paths.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_REGISTER_NAME "logs.open"

struct log_register;

/** log_open_fn - is this log of a step that goes on, so that it must not be repaired? */
typedef bool (*log_open_fn)(const void *userdata, const char *project, uint64_t run,
			    const char *slug, uint64_t attempt);

/**
 * log_register_new() - open the register, repair the logs that it names, and empty it
 * @is_open: called for each of them; NULL: no step goes on
 *
 * A log that cannot be repaired is logged and left as it is. Return: 0; -errno with
 * @error when the register cannot be opened or written.
 */
int log_register_new(const struct paths *paths, log_open_fn is_open, const void *userdata,
		     struct log_register **ret_register, struct error *error);
/**
 * log_register_writeback() - from now on, start writeback from timers of @loop
 *
 * Before this, it is started with each slot that is written. @loop must live longer than @logs.
 */
void log_register_writeback(struct log_register *logs, struct loop *loop);
/** log_register_free() - the file stays as it is. NULL is fine. Return: NULL. */
struct log_register *log_register_free(struct log_register *logs);

/**
 * log_register_add() - note that a log is open; the caller has checked the names
 *
 * Return: its slot; -1 when it could not be noted: a crash would leave it unrepaired.
 */
int log_register_add(struct log_register *logs, const char *project, uint64_t run, const char *slug,
		     uint64_t attempt);
/** log_register_remove() - note that the log of @slot is complete and synced. -1 is fine. */
void log_register_remove(struct log_register *logs, int slot);

#endif
