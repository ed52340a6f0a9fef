/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/*
 * What this host has and lacks. Each check is a function of its own that tries
 * the thing itself; what would change the host is tried in a child with
 * namespaces of its own.
 */

#include "cli/cli.h"

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_WARNING, /* runbookd works, with less */
	DOCTOR_FAILED,	/* it does not */
	DOCTOR_SKIPPED, /* could not be tried, mostly for want of root */
	DOCTOR_NUM,
};

/** struct doctor_finding - filled by a check: what was seen and what to do about it */
struct doctor_finding {
	enum doctor_result result;
	char seen[256];
	char fix[512]; /* "" when there is nothing to do */
};

struct doctor_check {
	const char *name;
	void (*run)(struct cli *cli, struct doctor_finding *finding);
};

/** doctor_ok(), doctor_bad() - fill @finding; @fix is a sentence fragment, "" for none */
void doctor_ok(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_bad(struct doctor_finding *finding, enum doctor_result result, const char *fix,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * doctor_try() - run @function in a child; what it does to itself ends with it
 * @function: returns 0 or -errno
 *
 * Return: what @function returned, or -errno when there was no child; -EINTR
 * when the child was killed.
 */
int doctor_try(int (*function)(void *user), void *user);

/** doctor_need_root() - false, and @finding filled, for everybody else */
bool doctor_need_root(struct doctor_finding *finding);

/* doctor_kernel.c: tables of checks, ended by a NULL name */
extern const struct doctor_check doctor_kernel_checks[];
/* doctor_network.c */
extern const struct doctor_check doctor_network_checks[];
/* doctor_host.c */
extern const struct doctor_check doctor_host_checks[];
/* doctor_secrets.c */
extern const struct doctor_check doctor_secret_checks[];

#endif
