/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_REPAIR_H
#define DAEMON_LOG_REPAIR_H

/*
 * DOC: Logs after a crash
 *
 * Log and index are written one after the other and synced at the end of a step only.
 * When runbookd or the machine dies in between, the index may end within a record,
 * describe bytes that never reached the log, or lack its last records; after a power
 * cut the log may end in zeroes where the file system knew of bytes that it had
 * not written yet.
 *
 * The hole of a log that was cut (common/log_cut.h) stays; what is noted of it is made
 * right where the file itself shows that it is larger.
 *
 * Afterwards: the log has nothing but what was printed; the index has its header,
 * whole records only, and each of them lies in the log, in order. What the index lacks
 * belongs to its last record. Nothing that was printed and is on the disk is lost.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/** struct log_repaired - what was wrong */
struct log_repaired {
	uint64_t zeroes;	/* taken off the end of the log */
	uint64_t index_dropped; /* bytes */
	bool index_made;	/* there was none, or it was none */
};

/**
 * log_repair() - of one attempt of a step
 * @dir_fd:    directory of the run's logs
 * @name:      without ".log" and ".idx"
 * @power_cut: the machine went down; otherwise zeroes at the end were printed
 *
 * Return: 1 when something was repaired, 0 when nothing had to be or there is no
 * log, -errno with @error.
 */
int log_repair(int dir_fd, const char *name, bool power_cut, struct log_repaired *ret_repaired,
	       struct error *error);

#endif
