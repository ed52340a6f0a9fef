/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_ROW_H
#define SCHEDULER_RUN_ROW_H

/* What a run is made from: the texts of its row, which it owns, and what started it. */

#include "scheduler/model/scheduler.h"

/**
 * run_set_text() - replace a text of run->row, or another that is owned in the same way
 * @value: is copied; NULL: the text becomes NULL
 *
 * Return: 0; -ENOMEM, and *@field is what it was.
 */
int run_set_text(const char **field, const char *value);
/**
 * run_row_copy() - make @to a row with texts of its own
 *
 * Texts that @from does not have become ""; .name alone may stay NULL.
 * Return: 0; -ENOMEM, and run_row_clear() is due all the same.
 */
int run_row_copy(struct store_run *to, const struct store_run *from);
/** run_row_clear() - release the texts of @row */
void run_row_clear(struct store_run *row);

/** run_event() - what started @run, in the words of runbooks; an upload counts as "manual" */
enum runbook_event run_event(const struct run *run);
/** ref_is_ours() - is @ref a branch or a tag, which only those make who may push? "" counts as one. */
bool ref_is_ours(const char *ref);
/**
 * run_of_fork() - may its author be anyone: a pull request of a fork, a ref that is neither a
 * branch nor a tag of the repository, or a commit that none of these has?
 */
bool run_of_fork(const struct run *run);
/** run_filter_ref() - the full ref that filters compare: of a pull request the one it goes to */
const char *run_filter_ref(const struct run *run);
/** ref_branch() - "main" of "refs/heads/main", "v1" of "refs/tags/v1", else without "refs/" */
const char *ref_branch(const char *ref);
/**
 * run_paths() - the changed paths, which are known only until the steps are made
 *
 * Return: how many there are; SIZE_MAX when they are not known.
 */
size_t run_paths(const struct run *run, char *const **ret_paths);

#endif
