/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/refs.h"

#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int item_compare(const void *a, const void *b)
{
	return strcmp(((const struct refs_item *)a)->name, ((const struct refs_item *)b)->name);
}

static int refs_append(struct refs *refs, const char *name, const git_oid *id,
		       const git_oid *target)
{
	char *copy;

	if (refs->n == refs->room) {
		size_t room = refs->room ? refs->room * 2 : 64;
		void *grown = reallocarray(refs->items, room, sizeof(*refs->items));

		if (!grown)
			return -ENOMEM;
		refs->items = grown;
		refs->room = room;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	refs->items[refs->n++] = (struct refs_item){.name = copy, .id = *id, .target = *target};
	return 0;
}

/* The object behind @id and all its annotated tags; -ENOENT when the mirror lacks it. */
static int target_find(git_repository *repository, const git_oid *id, git_oid *ret_target)
{
	git_object *object = NULL, *target = NULL;
	int r = git_object_lookup(&object, repository, id, GIT_OBJECT_ANY);

	if (r == 0 && git_object_type(object) == GIT_OBJECT_TAG) {
		r = git_object_peel(&target, object, GIT_OBJECT_ANY);
		if (r == 0)
			git_oid_cpy(ret_target, git_object_id(target));
	} else if (r == 0) {
		git_oid_cpy(ret_target, id);
	}
	git_object_free(target);
	git_object_free(object);
	return r < 0 ? -ENOENT : 0;
}

static bool is_remotes(const char *name)
{
	return strncmp(name, "refs/heads/", 11) == 0 || strncmp(name, "refs/tags/", 10) == 0;
}

int refs_read(git_repository *repository, struct refs *refs)
{
	git_strarray names = {0};
	int r = git_reference_list(&names, repository) < 0 ? -EIO : 0;

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.strings[i];
		git_oid id, target;

		if (!is_remotes(name) || !ref_name_valid(name))
			continue;
		if (refs->n == REFS_MAX) {
			refs->cut = true;
			break;
		}
		if (git_reference_name_to_id(&id, repository, name) == 0 &&
		    target_find(repository, &id, &target) == 0)
			r = refs_append(refs, name, &id, &target);
	}
	git_strarray_dispose(&names);
	if (r == 0 && refs->n > 0)
		qsort(refs->items, refs->n, sizeof(*refs->items), item_compare);
	return r;
}

/* Would one of the two names be a directory of the other's path, as "a" is of "a/b"? */
static bool in_the_way(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return n < m ? b[n] == '/' && memcmp(a, b, n) == 0
		     : m < n && a[m] == '/' && memcmp(a, b, m) == 0;
}

static bool may_stay(const struct refs_item *item, void *userdata)
{
	return !in_the_way(item->name, userdata);
}

int refs_set(struct refs *refs, const char *name, const git_oid *commit)
{
	struct refs_item *item = (struct refs_item *)refs_find(refs, name);
	int r;

	if (item) {
		if (!git_oid_equal(&item->target, commit)) {
			git_oid_cpy(&item->id, commit);
			git_oid_cpy(&item->target, commit);
		}
		return 0;
	}
	refs_filter(refs, may_stay, (void *)name);
	r = refs_append(refs, name, commit, commit);
	if (r == 0)
		qsort(refs->items, refs->n, sizeof(*refs->items), item_compare);
	return r;
}

void refs_filter(struct refs *refs, bool (*keep)(const struct refs_item *item, void *userdata),
		 void *userdata)
{
	size_t n = 0;

	for (size_t i = 0; i < refs->n; i++) {
		if (keep(&refs->items[i], userdata))
			refs->items[n++] = refs->items[i];
		else
			free(refs->items[i].name);
	}
	refs->n = n;
}

const struct refs_item *refs_find(const struct refs *refs, const char *name)
{
	struct refs_item wanted = {.name = (char *)name};

	return refs->n == 0
		       ? NULL
		       : bsearch(&wanted, refs->items, refs->n, sizeof(*refs->items), item_compare);
}

char *refs_text(const struct refs *refs, size_t *ret_size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_size);
	char hex[GIT_OID_HEXSZ + 1];

	if (!file)
		return NULL;
	(void)fputs("# pack-refs with: sorted\n", file);
	for (size_t i = 0; i < refs->n; i++)
		(void)fprintf(file, "%s %s\n", git_oid_tostr(hex, sizeof(hex), &refs->items[i].id),
			      refs->items[i].name);
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void refs_clear(struct refs *refs)
{
	for (size_t i = 0; i < refs->n; i++)
		free(refs->items[i].name);
	free(refs->items);
	*refs = (struct refs){.n = 0};
}
