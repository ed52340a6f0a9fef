/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_RETENTION_H
#define COMMON_RETENTION_H

/** enum retention_kind - data that is removed by age, number or size, each with its own limits */
enum retention_kind {
	RETENTION_RUNS, /* a run with its logs and artifacts */
	RETENTION_LOGS,
	RETENTION_ARTIFACTS,
	RETENTION_TREES,   /* checked-out commits */
	RETENTION_UPLOADS, /* unpacked working copies */
	RETENTION_MIRRORS, /* unreachable objects of a mirror */
	RETENTION_NUM,
};

#endif
