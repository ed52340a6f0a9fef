/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROVIDERS_H
#define COMMON_PROVIDERS_H

/*
 * Forges whose deliveries runbook-webhook serves. The configuration accepts these
 * and no others, so that a project never waits for deliveries that are refused;
 * webhook/forge_table.c lists an implementation for each name.
 */

#include <stdbool.h>

/* all of them, as a sentence names them */
#define PROVIDERS_TEXT "github, gitlab, gitea, forgejo, bitbucket or standard"

/** provider_name() - the name of number @i from 0; NULL behind the last */
const char *provider_name(unsigned i);
/** provider_known() - is @name one of them? */
bool provider_known(const char *name);

#endif
