/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_RETENTION_H
#define COMMON_RETENTION_H

/** enum retention_kind - what is kept for a time, each with limits of its own */
enum retention_kind {
	RETENTION_RUNS, /* a run with all that it left */
	RETENTION_LOGS,
	RETENTION_ARTIFACTS,
	RETENTION_TREES,   /* checked-out commits */
	RETENTION_UPLOADS, /* unpacked working copies */
	RETENTION_MIRRORS, /* objects of a mirror that nothing reaches */
	RETENTION_NUM,
};

#endif
