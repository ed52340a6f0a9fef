/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_MEMORY_H
#define RUNBOOK_MEMORY_H

/*
 * DOC: Memory of runbooks
 *
 * Freeing and measuring the objects that runbooks and drafts own. These are leaves: they call
 * no other file of this folder.
 */

#include "runbook/schema.h"

/** texts_done() - free a list of texts */
void texts_done(char **texts, size_t n);

/** env_done() - free a list of variables */
void env_done(struct runbook_env *env, size_t n_env);

/** step_done() - free what @step owns */
void step_done(struct runbook_step *step);

/** draft_done() - free what a draft owns besides its runbook */
void draft_done(struct draft *draft);

/** env_bytes() - bytes of a list of variables in a process's environment */
size_t env_bytes(const struct runbook_env *env, size_t n_env);

/**
 * stream_finish() - close a stream of open_memstream(3)
 *
 * Return: *@text; NULL on failure, with *@text freed.
 */
char *stream_finish(FILE *out, char **text);

#endif
