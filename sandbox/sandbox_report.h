/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_REPORT_H
#define SANDBOX_SANDBOX_REPORT_H

#include "common/error.h"

#include <stdio.h>

/*
 * DOC: Which system calls a program was denied (runbook-sandbox --seccomp-report)
 *
 * The filter of such a sandbox sends each call that it does not allow to its listener, which is
 * runbook-sandbox. The listener runs the usual filter over the same number and arguments,
 * records the verdict and answers with it, so the program only notices the time that it takes.
 * No call that the usual filter refuses is ever allowed.
 *
 * Two differences remain. Where the filter kills (i386 and x32 entry), the listener sends
 * SIGSYS, or SIGKILL to a process that blocks, ignores or handles SIGSYS; and a program inside
 * cannot have a listener for a filter of its own (EBUSY).
 */

struct seccomp_report;

/** seccomp_report_new() - the caller frees it. Return: 0 or -errno with @error. */
int seccomp_report_new(struct seccomp_report **ret_report, struct error *error);
/** seccomp_report_free() - @report may be NULL. Return: NULL. */
struct seccomp_report *seccomp_report_free(struct seccomp_report *report);

/** seccomp_report_socket() - for sandbox_request.report_fd; closed by seccomp_report_started() */
int seccomp_report_socket(const struct seccomp_report *report);
/** seccomp_report_started() - call it when sandbox_start() returned, to close the socket */
void seccomp_report_started(struct seccomp_report *report);
/** seccomp_report_fd() - call seccomp_report_handle() when it is readable; -1: no more calls */
int seccomp_report_fd(const struct seccomp_report *report);
/** seccomp_report_handle() - record one call and answer it; does not block */
void seccomp_report_handle(struct seccomp_report *report);

/** seccomp_report_print() - a table for people: denied calls first, then those that fall back */
void seccomp_report_print(struct seccomp_report *report, FILE *out);
/** seccomp_report_print_json() - the same, one JSON object a line. Return: 0 or -ENOMEM. */
int seccomp_report_print_json(struct seccomp_report *report, FILE *out);

/** seccomp_list_print() - print number, name, answer and reason of every call, one per line */
void seccomp_list_print(FILE *out);

#endif
