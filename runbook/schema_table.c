/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema.h"

#include <string.h>

const struct schema_key *schema_key_find(const struct draft *draft, const char *name,
					 unsigned scopes)
{
	for (size_t i = 0; i < draft->n_keys; i++) {
		const struct schema_key *key = &draft->keys[i];

		if ((key->scopes & scopes) && strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}
