/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EFFECTIVE_H
#define CLI_EFFECTIVE_H

/*
 * DOC: The effective runbook
 *
 * "runbookctl run" with --step, --image or --env changes the parsed runbook by these
 * options and writes it as JSON, which is YAML, too. The result replaces runbook.yml
 * for this run.
 */

#include "runbook/runbook.h"

#include <jansson.h>

struct effective_options {
	const char *step;	/* only this step and its dependencies; NULL: all steps */
	const char *image;	/* image of every step; NULL: that of the runbook */
	const char *const *env; /* "NAME=VALUE", each set on every step */
	size_t n_env;
};

/** effective_needed() - does any option change the runbook? */
bool effective_needed(const struct effective_options *options);

/**
 * effective_runbook() - write the changed runbook
 * @ret_text: malloc'ed; the caller frees it
 *
 * Return: 0; -ENOENT when there is no such step, -EINVAL for an option without
 * '=' (both with @error set); -ENOMEM.
 */
int effective_runbook(const struct runbook *runbook, const struct effective_options *options,
		      char **ret_text, struct error *error);

#endif
