/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STATUS_H
#define SANDBOX_STATUS_H

/*
 * DOC: What the host and runbook-init agree on
 *
 * runbook-init starts with these descriptors, and as arguments the working
 * directory, the command's "uid:gid", then "report" and "tty" (init_tty.h) where
 * these are wanted. Nothing else reaches it: its environment is empty.
 *
 *   0-2  the command's
 *   3    status pipe, write end; one struct sandbox_status is written, once, when
 *        the command has ended, as tagged fields behind a struct sandbox_status_head:
 *        the runbookd that reads it may be of another version (common/fields.h). It
 *        is closed when nothing is left to be waited for: at once, or after a signal
 *        that asks for the end when all processes have ended. No process inside ever
 *        holds it, so a result cannot be forged.
 *   4    the step's user namespace; only the command's process joins it
 *   5    seccomp program, an array of struct sock_filter
 *   6    payload, common/step_payload.h
 *   8    only with the argument "report": a unix socket, where the listener of the
 *        seccomp filter is sent to
 */

#include "common/fields.h"

#include <stdint.h>

enum {
	INIT_FD_STATUS = 3,
	INIT_FD_USERNS = 4,
	INIT_FD_FILTER = 5,
	INIT_FD_PAYLOAD = 6,
	INIT_FD_NUM,
	INIT_FD_SELF = INIT_FD_NUM, /* runbook-init, closed by its exec */
	INIT_FD_REPORT = 8,
};

#define SANDBOX_STATUS_MAGIC 0x33534252u /* "RBS3" */
#define SANDBOX_STATUS_BYTES_MAX 2048	 /* in the pipe, of any version; below PIPE_BUF */
#define SANDBOX_STATUS_TEXT_MAX 200
/* beside enum sandbox_exit: the inner part of the sandbox could not be built */
#define SANDBOX_STATUS_SETUP_FAILED 100

/** struct sandbox_status_head - @size bytes of fields follow, written and read whole */
struct sandbox_status_head {
	uint32_t magic, size;
};

/** struct sandbox_status - how it ended, and what was measured then */
struct sandbox_status {
	int32_t how;  /* enum sandbox_exit or SANDBOX_STATUS_SETUP_FAILED */
	int32_t code; /* exit code, signal or errno */
	/* of what was reaped when the command ended */
	uint32_t no_files_left; /* the scratch file system takes no more files */
	uint64_t cpu_user_usec, cpu_system_usec;
	uint64_t process_peak;		    /* resident bytes of the largest one */
	uint64_t disk_bytes, disk_free;	    /* of scratch; 0, 0: unknown */
	char text[SANDBOX_STATUS_TEXT_MAX]; /* what failed; the code says why */
};

extern const struct field_table sandbox_status_fields;

#endif
