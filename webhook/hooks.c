/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/hooks.h"

#include "common/names.h"
#include "common/text.h"
#include "webhook/forge.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct hook_set *hook_set_new(void)
{
	struct hook_set *set = calloc(1, sizeof(*set));

	if (set)
		atomic_init(&set->n_refs, 1);
	return set;
}

struct hook_set *hook_set_ref(struct hook_set *set)
{
	if (set)
		(void)atomic_fetch_add(&set->n_refs, 1);
	return set;
}

struct hook_set *hook_set_unref(struct hook_set *set)
{
	if (!set || atomic_fetch_sub(&set->n_refs, 1) != 1)
		return NULL;
	for (size_t i = 0; i < set->n_hooks; i++) {
		sodium_memzero(set->hooks[i].secret, set->hooks[i].secret_size);
		free(set->hooks[i].secret);
	}
	free(set->hooks);
	free(set);
	return NULL;
}

/* Return: the index of @project, or the index at which to insert it. */
static size_t hook_position(const struct hook_set *set, const char *project, bool *ret_found)
{
	size_t low = 0, high = set->n_hooks;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(set->hooks[middle].project, project);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int hook_set_add(struct hook_set *set, const char *project, const char *provider,
		 const void *secret, size_t secret_size)
{
	struct hook *hooks;
	uint8_t *copy;
	size_t position;
	bool found;

	if (!project_name_valid(project))
		return -EINVAL;
	position = hook_position(set, project, &found);
	if (found)
		return -EEXIST;
	copy = malloc(secret_size + 1);
	if (!copy)
		return -ENOMEM;
	hooks = reallocarray(set->hooks, set->n_hooks + 1, sizeof(*hooks));
	if (!hooks) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, secret, secret_size);
	set->hooks = hooks;
	memmove(&hooks[position + 1], &hooks[position], (set->n_hooks - position) * sizeof(*hooks));
	set->n_hooks++;
	hooks[position] = (struct hook){.forge = forge_find(provider)};
	/* it fits: project_name_valid() checked the length */
	(void)text_copy(hooks[position].project, sizeof(hooks[position].project), project);
	hooks[position].secret = copy;
	hooks[position].secret_size = secret_size;
	return 0;
}

const struct hook *hook_set_find(const struct hook_set *set, const char *project)
{
	size_t position;
	bool found;

	if (!set)
		return NULL;
	position = hook_position(set, project, &found);
	return found ? &set->hooks[position] : NULL;
}

struct hook_set *hook_store_get(struct hook_store *store)
{
	struct hook_set *set;

	pthread_mutex_lock(&store->lock);
	set = hook_set_ref(store->current);
	pthread_mutex_unlock(&store->lock);
	return set;
}

void hook_store_replace(struct hook_store *store, struct hook_set *set)
{
	struct hook_set *old;

	pthread_mutex_lock(&store->lock);
	old = store->current;
	store->current = set;
	pthread_mutex_unlock(&store->lock);
	(void)hook_set_unref(old);
}
