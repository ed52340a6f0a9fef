/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EFFECTIVE_H
#define CLI_EFFECTIVE_H

/*
 * The runbook that "runbookctl run --step --image --env" really runs: the parsed
 * one with what the options say, written out as JSON (which is YAML).
 */

#include "runbook/runbook.h"

#include <jansson.h>

struct effective_options {
	const char *step;	/* only this one and what it depends on; NULL: all */
	const char *image;	/* for every step; NULL: as written */
	const char *const *env; /* "NAME=VALUE", each set on every step */
	size_t n_env;
};

/** effective_needed() - does any option change the runbook? */
bool effective_needed(const struct effective_options *options);

/**
 * effective_runbook() - write it
 * @ret_text: malloc'ed; caller frees
 *
 * Return: 0; -ENOENT when there is no such step, -EINVAL for an option without
 * '=' (both with @error set); -ENOMEM.
 */
int effective_runbook(const struct runbook *runbook, const struct effective_options *options,
		      char **ret_text, struct error *error);

#endif
