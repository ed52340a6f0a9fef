/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

static const struct forge *const forges[] = {
	&forge_github,	&forge_gitlab,	  &forge_gitea,
	&forge_forgejo, &forge_bitbucket, &forge_standard,
};

const struct forge *forge_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(forges); i++) {
		if (strcmp(forges[i]->name, name) == 0)
			return forges[i];
	}
	return NULL;
}

const char *forge_names(void)
{
	static _Thread_local char names[256];
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(forges) && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
					 forges[i]->name);
	return names;
}
