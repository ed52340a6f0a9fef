/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/*
 * DOC: Checks of this host
 *
 * "runbookctl doctor" runs each check and prints its finding. A check uses the feature of
 * the kernel or system that it is about, instead of trusting version numbers. If that would
 * change the host, it does so in a child with namespaces of its own (doctor_try()).
 */

#include "cli/cli.h"

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_WARNING, /* runbookd works, but lacks a feature */
	DOCTOR_FAILED,	/* runbookd does not work */
	DOCTOR_SKIPPED, /* the check was not possible, mostly because it needs root */
	DOCTOR_NUM,
};

/** struct doctor_finding - the result of a check, the facts, and the remedy */
struct doctor_finding {
	enum doctor_result result;
	char seen[256];
	char fix[512]; /* "" when there is nothing to do */
};

struct doctor_check {
	const char *name;
	void (*run)(struct cli *cli, struct doctor_finding *finding);
};

/** doctor_ok(), doctor_bad() - fill in @finding; @fix is a command or phrase, "" for none */
void doctor_ok(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_bad(struct doctor_finding *finding, enum doctor_result result, const char *fix,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * doctor_try() - run @function in a child process, whose changes to itself end with it
 * @function: returns 0 or -errno
 *
 * Return: the result of @function, or -errno when there was no child; -EINTR when the
 * child was killed.
 */
int doctor_try(int (*function)(void *user), void *user);

/** doctor_need_root() - true for root; otherwise false, with @finding filled in */
bool doctor_need_root(struct doctor_finding *finding);

/* tables of checks, ended by a NULL name. doctor_kernel.c */
extern const struct doctor_check doctor_kernel_checks[];
/* doctor_network.c */
extern const struct doctor_check doctor_network_checks[];
/* doctor_host.c */
extern const struct doctor_check doctor_host_checks[];
/* doctor_secrets.c */
extern const struct doctor_check doctor_secret_checks[];

#endif
