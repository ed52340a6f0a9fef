/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STATUS_H
#define SANDBOX_STATUS_H

/*
 * DOC: The interface between the host and runbook-init
 *
 * runbook-init starts with these descriptors. Its arguments are the working directory, the
 * command's "uid:gid", then "report" and "tty" (init_tty.h) if requested. It gets no other
 * input: its environment is empty.
 *
 *   0-2  the command's
 *   3    status pipe, write end; one struct sandbox_status is written, once, when
 *        the command has ended, as tagged fields behind a struct sandbox_status_head:
 *        the runbookd that reads it may be of another version (common/fields.h). It
 *        is closed at once after that or, after a terminating signal, when all
 *        processes have ended. No other process inside ever holds it, so a result
 *        cannot be forged.
 *   4    the step's user namespace; only the command's process joins it
 *   5    seccomp program, an array of struct sock_filter
 *   6    payload, common/step_payload.h
 *   8    only with the argument "report": a unix socket to send the listener of the
 *        seccomp filter to
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
/* in addition to enum sandbox_exit: the inner part of the sandbox could not be built */
#define SANDBOX_STATUS_SETUP_FAILED 100

/** struct sandbox_status_head - @size bytes of fields follow, in one write */
struct sandbox_status_head {
	uint32_t magic, size;
};

/** struct sandbox_status - how the command ended, and measurements at that time */
struct sandbox_status {
	int32_t how;		/* enum sandbox_exit or SANDBOX_STATUS_SETUP_FAILED */
	int32_t code;		/* exit code, signal or errno */
	uint32_t no_files_left; /* the scratch file system has no free inode */
	uint64_t cpu_user_usec, cpu_system_usec;
	uint64_t process_peak;		    /* resident bytes of the largest process */
	uint64_t disk_bytes, disk_free;	    /* bytes of scratch; 0, 0: unknown */
	char text[SANDBOX_STATUS_TEXT_MAX]; /* names what failed; .code is the errno */
};

/** sandbox_status_fields - the table of struct sandbox_status */
extern const struct field_table sandbox_status_fields;

#endif
