/* SPDX-License-Identifier: Apache-2.0 */
#include "common/providers.h"

#include "common/cleanup.h"

#include <string.h>

static const char *const providers[] = {
	"github", "gitlab", "gitea", "forgejo", "bitbucket", "standard",
};

const char *provider_name(unsigned i)
{
	return i < ARRAY_SIZE(providers) ? providers[i] : NULL;
}

bool provider_known(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(providers); i++)
		if (strcmp(providers[i], name) == 0)
			return true;
	return false;
}
