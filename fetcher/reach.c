/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/reach.h"

#include <errno.h>
#include <stdlib.h>

/* Objects seen but not yet entered. Not recursion: a history is deeper than the program's stack. */
struct stack {
	git_oid *ids;
	size_t n, room;
};

static int stack_push(struct stack *stack, const git_oid *id)
{
	if (stack->n == stack->room) {
		size_t room = stack->room ? stack->room * 2 : 1024;
		git_oid *ids = reallocarray(stack->ids, room, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		stack->ids = ids;
		stack->room = room;
	}
	git_oid_cpy(&stack->ids[stack->n++], id);
	return 0;
}

/* @leaf: the object is a file, which names no others */
static int see(struct reach *reach, struct stack *stack, const git_oid *id, bool leaf)
{
	int r;

	if (oid_set_has(&reach->seen, id))
		return 0;
	if (reach->stop && git_odb_exists_ext(reach->stop, id, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	r = oid_set_add(&reach->seen, id);
	if (r == 1 && !leaf)
		return stack_push(stack, id);
	return r < 0 ? r : 0;
}

static int enter_commit(struct reach *reach, struct stack *stack, const git_commit *commit)
{
	int r = see(reach, stack, git_commit_tree_id(commit), false);

	for (unsigned i = 0; r == 0 && i < git_commit_parentcount(commit); i++)
		r = see(reach, stack, git_commit_parent_id(commit, i), false);
	return r;
}

static int enter_tree(struct reach *reach, struct stack *stack, const git_tree *tree)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		git_filemode_t mode = git_tree_entry_filemode(entry);

		if (mode != GIT_FILEMODE_COMMIT)
			r = see(reach, stack, git_tree_entry_id(entry), mode != GIT_FILEMODE_TREE);
	}
	return r;
}

static int enter(struct reach *reach, struct stack *stack, const git_oid *id)
{
	git_object *object = NULL;
	int r = 0;

	if (git_object_lookup(&object, reach->repository, id, GIT_OBJECT_ANY) < 0)
		return -ENODATA;
	switch (git_object_type(object)) {
	case GIT_OBJECT_COMMIT:
		r = enter_commit(reach, stack, (const git_commit *)object);
		break;
	case GIT_OBJECT_TREE:
		r = enter_tree(reach, stack, (const git_tree *)object);
		break;
	case GIT_OBJECT_TAG:
		r = see(reach, stack, git_tag_target_id((const git_tag *)object), false);
		break;
	default: /* a file: a tag may name one */
		break;
	}
	git_object_free(object);
	return r;
}

int reach_add(struct reach *reach, const git_oid *root)
{
	struct stack stack = {.n = 0};
	int r = see(reach, &stack, root, false);

	while (r == 0 && stack.n > 0) {
		git_oid id;

		git_oid_cpy(&id, &stack.ids[--stack.n]);
		r = enter(reach, &stack, &id);
	}
	free(stack.ids);
	return r;
}
