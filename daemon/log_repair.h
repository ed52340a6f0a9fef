/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REPAIR_H
#define DAEMON_LOG_REPAIR_H

/*
 * DOC: Logs after a crash
 *
 * Log and index are written one after the other, and synced at the end of a step only.
 * When runbookd or the machine dies in between, the index may end within a record,
 * describe bytes that never reached the log, or lack its last records; after a power
 * cut the log may end in zeroes, because the file system had noted its size before its
 * bytes were written.
 *
 * The hole of a log that was cut (common/log_cut.h) stays. The index's note of it is
 * corrected where the file itself shows that the hole is larger.
 *
 * Afterwards the log has only bytes that were printed; the index has its header
 * and whole records, each within the log, in order. Bytes for which the index has no
 * record count as part of its last one. No output that is on the disk is lost.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/** struct log_repaired - what was repaired */
struct log_repaired {
	uint64_t zeroes;	/* bytes removed from the end of the log */
	uint64_t index_dropped; /* bytes removed from the end of the index */
	bool index_made;	/* the index did not exist, or had no header */
};

/**
 * log_repair() - repair the log of one attempt of a step
 * @dir_fd:    directory of the run's logs
 * @name:      name of the log without ".log"
 * @power_cut: the machine went down; otherwise the step printed the zeroes at the end
 *
 * Return: 1 when something was repaired; 0 when nothing had to be, or there is no
 * log; -errno with @error.
 */
int log_repair(int dir_fd, const char *name, bool power_cut, struct log_repaired *ret_repaired,
	       struct error *error);

#endif
