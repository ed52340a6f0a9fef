/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROVIDERS_H
#define COMMON_PROVIDERS_H

/*
 * DOC: Forges
 *
 * The forges whose deliveries runbook-webhook understands; webhook/forge_table.c has an
 * implementation for each. The configuration accepts no others, so that a project does not wait
 * for deliveries that would be refused.
 */

#include <stdbool.h>

/* all of them, for sentences */
#define PROVIDERS_TEXT "github, gitlab, gitea, forgejo, bitbucket or standard"

/** provider_name() - the name number @i, from 0; NULL after the last */
const char *provider_name(unsigned i);
/** provider_known() - is @name a forge of this list? */
bool provider_known(const char *name);

#endif
