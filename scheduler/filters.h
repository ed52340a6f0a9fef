/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FILTERS_H
#define SCHEDULER_FILTERS_H

/* What started a run, and whether its runbook asks for that: "on". */

#include "common/name_list.h"
#include "runbook/runbook.h"

#include <stdbool.h>
#include <stddef.h>

struct run;

/** run_event() - what started @run, in the words of runbooks; an upload is "manual", too */
enum runbook_event run_event(const struct run *run);
/** run_filter_ref() - full ref whose name is looked at: of a pull request the one it goes to */
const char *run_filter_ref(const struct run *run);
/** ref_branch() - "main" of "refs/heads/main", "v1" of "refs/tags/v1", else without "refs/" */
const char *ref_branch(const char *ref);
/** run_paths() - the changed paths, only while the runbook is read. Return: how many, SIZE_MAX:
 * nobody knows. */
size_t run_paths(const struct run *run, char *const **ret_paths);

/** run_unwanted() - end @run as one that is not wanted, for this reason */
void run_unwanted(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * filters_admit() - does the runbook of @run ask for it?
 *
 * If not, it ends here: cancelled, with the reason, and marked as unwanted. Retries and
 * uploads are always wanted: somebody asks for just this run.
 * Return: go on?
 */
bool filters_admit(struct run *run);

#endif
