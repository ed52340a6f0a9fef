/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_ROW_H
#define SCHEDULER_RUN_ROW_H

/*
 * DOC: The row of a run in memory
 *
 * A run in memory owns the texts of its row (struct store_run, which by itself only borrows
 * them). The functions here copy and release them, and derive from the row what others decide
 * by: the event, whether the author is a stranger, the ref that filters compare.
 */

#include "scheduler/model/scheduler.h"

/**
 * run_set_text() - replace a text of run->row, or another text that is owned in the same way
 * @value: copied; NULL: the text becomes NULL
 *
 * Return: 0, or -ENOMEM with *@field unchanged.
 */
int run_set_text(const char **field, const char *value);
/**
 * run_row_copy() - make @to a copy of @from that owns its texts
 *
 * Texts that are NULL in @from become ""; only .name may stay NULL.
 * Return: 0 or -ENOMEM. The caller calls run_row_clear() in both cases.
 */
int run_row_copy(struct store_run *to, const struct store_run *from);
/** run_row_clear() - release the texts of @row */
void run_row_clear(struct store_run *row);

/** run_event() - what started @run, in the terms of runbooks; an upload counts as "manual" */
enum runbook_event run_event(const struct run *run);
/**
 * ref_is_ours() - whether @ref is a branch or tag, which only people with push access make; ""
 * counts as one
 */
bool ref_is_ours(const char *ref);
/**
 * run_of_fork() - whether the author may be anyone: @run is for a pull request from a fork, for
 * a ref that is neither a branch nor a tag of the repository, or for a commit that none of these
 * reaches
 */
bool run_of_fork(const struct run *run);
/** run_filter_ref() - the full ref that filters compare; for a pull request, the one it goes to */
const char *run_filter_ref(const struct run *run);
/** ref_branch() - "main" of "refs/heads/main", "v1" of "refs/tags/v1", else without "refs/" */
const char *ref_branch(const char *ref);
/**
 * run_paths() - the changed paths, which are known only until the steps are made
 *
 * Return: the number of paths, or SIZE_MAX when they are not known.
 */
size_t run_paths(const struct run *run, char *const **ret_paths);

#endif
