/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_REPORT_H
#define SANDBOX_SANDBOX_REPORT_H

#include "common/error.h"

#include <stdio.h>

/*
 * DOC: Which system calls a program was denied (runbook-sandbox --seccomp-report)
 *
 * The filter of such a sandbox is the usual one, except that whatever it does
 * not allow asks its listener, which is us. We run the usual filter over the
 * same number and arguments, write down what it says, and answer just that:
 * the program notices nothing but the time it takes. Nothing that the filter
 * would refuse is ever let through.
 *
 * Two differences remain. Where the filter kills (i386 and x32 entry) we send
 * SIGSYS, or SIGKILL to a process that blocks, ignores or handles that; and a
 * program inside cannot have a listener for a filter of its own (EBUSY).
 */

struct seccomp_report;

/** seccomp_report_new() - Return: 0, or -errno with @error. Caller frees. */
int seccomp_report_new(struct seccomp_report **ret_report, struct error *error);
/** seccomp_report_free() - NULL is fine. Return: NULL. */
struct seccomp_report *seccomp_report_free(struct seccomp_report *report);

/** seccomp_report_socket() - for sandbox_request.report_fd; closed by seccomp_report_started() */
int seccomp_report_socket(const struct seccomp_report *report);
/** seccomp_report_started() - the sandbox has its end of the socket, or there is none */
void seccomp_report_started(struct seccomp_report *report);
/** seccomp_report_fd() - call seccomp_report_handle() when it is readable; -1: nothing comes */
int seccomp_report_fd(const struct seccomp_report *report);
/** seccomp_report_handle() - note one call and answer it; does not block */
void seccomp_report_handle(struct seccomp_report *report);

/** seccomp_report_print() - a table for people: denied calls first, then those that fall back */
void seccomp_report_print(struct seccomp_report *report, FILE *out);
/** seccomp_report_print_json() - the same, one JSON object a line. Return: 0 or -ENOMEM. */
int seccomp_report_print_json(struct seccomp_report *report, FILE *out);

/** seccomp_list_print() - number, name, answer and reason of every call, one a line */
void seccomp_list_print(FILE *out);

#endif
