/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/need_tree.h"

#include <string.h>

bool queue_need_fits(const struct queue_need *need, const struct queue_need *room)
{
	return need->cpu_milli <= room->cpu_milli && need->memory <= room->memory;
}

static unsigned memory_class(uint64_t memory)
{
	unsigned class = memory >> 23 ? 64 - (unsigned)__builtin_clzll(memory >> 23) : 0;

	return class < NEED_CLASSES ? class : NEED_CLASSES - 1;
}

/* Whether a node of the branch may fit. There are false positives, but no false negatives. */
static bool least_may_fit(const struct need_least *least, const struct need_room *rooms)
{
	for (; rooms; rooms = rooms->next) {
		uint32_t cpu_milli = least->cpu_milli[memory_class(rooms->free.memory)];

		if (cpu_milli != NEED_NONE && cpu_milli <= rooms->free.cpu_milli)
			return true;
	}
	return false;
}

static void least_of_need(struct need_least *least, const struct queue_need *need)
{
	unsigned class = memory_class(need->memory);
	uint32_t cpu_milli =
		need->cpu_milli < NEED_NONE ? (uint32_t)need->cpu_milli : NEED_NONE - 1;

	for (unsigned i = 0; i < NEED_CLASSES; i++)
		least->cpu_milli[i] = i < class ? NEED_NONE : cpu_milli;
}

static void least_lower(struct need_least *least, const struct need_node *child)
{
	if (!child)
		return;
	for (unsigned i = 0; i < NEED_CLASSES; i++) {
		if (child->least.cpu_milli[i] < least->cpu_milli[i])
			least->cpu_milli[i] = child->least.cpu_milli[i];
	}
}

/* Return: whether @least of the node changed. */
static bool node_sum_up(struct need_node *node)
{
	struct need_least least;

	if (node->inner)
		least = *node->inner;
	else
		least_of_need(&least, &node->own);
	least_lower(&least, node->left);
	least_lower(&least, node->right);
	if (memcmp(&least, &node->least, sizeof(least)) == 0)
		return false;
	node->least = least;
	return true;
}

static void sum_up_from(struct need_node *node)
{
	while (node && node_sum_up(node))
		node = node->parent;
}

static bool node_fits(const struct need_node *node, const struct need_room *rooms)
{
	if (node->inner)
		return least_may_fit(node->inner, rooms);
	while (rooms && !queue_need_fits(&node->own, &rooms->free))
		rooms = rooms->next;
	return rooms != NULL;
}

/* A good rank looks random; the address of a node has nothing to do with its position. */
static uint64_t rank_of(const struct need_node *node)
{
	uint64_t hash = (uint64_t)(uintptr_t)node;

	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
	return hash ^ (hash >> 31);
}

static struct need_node **link_to(struct need_tree *tree, const struct need_node *node)
{
	if (!node->parent)
		return &tree->root;
	return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

/* Rotate @node above its parent, which keeps the order, and sum up both anew. */
static void rotate_up(struct need_tree *tree, struct need_node *node)
{
	struct need_node *parent = node->parent, *moved;
	struct need_node **link = link_to(tree, parent);

	if (parent->left == node) {
		moved = parent->left = node->right;
		node->right = parent;
	} else {
		moved = parent->right = node->left;
		node->left = parent;
	}
	if (moved)
		moved->parent = parent;
	node->parent = parent->parent;
	parent->parent = node;
	*link = node;
	(void)node_sum_up(parent);
	(void)node_sum_up(node);
}

/* Where @node belongs: the free link to it, and its parent. */
static struct need_node **link_find(struct need_tree *tree, const struct need_node *node,
				    struct need_node **ret_parent)
{
	struct need_node **link = &tree->root, *parent = NULL;

	/* most nodes come last: no descent needed */
	if (tree->last && !tree->before(node, tree->last)) {
		*ret_parent = tree->last;
		return &tree->last->right;
	}
	while (*link) {
		parent = *link;
		link = tree->before(node, parent) ? &parent->left : &parent->right;
	}
	*ret_parent = parent;
	return link;
}

void need_tree_insert(struct need_tree *tree, struct need_node *node)
{
	struct need_node *parent = NULL, **link = link_find(tree, node, &parent);

	node->left = node->right = NULL;
	node->parent = parent;
	node->rank = rank_of(node);
	*link = node;
	if (!parent || (tree->first == parent && link == &parent->left))
		tree->first = node;
	if (!parent || (tree->last == parent && link == &parent->right))
		tree->last = node;
	memset(&node->least, 0xff, sizeof(node->least));
	(void)node_sum_up(node);
	sum_up_from(parent);
	while (node->parent && node->parent->rank < node->rank)
		rotate_up(tree, node);
}

static struct need_node *need_tree_previous(const struct need_node *node)
{
	if (!node->left) {
		while (node->parent && node->parent->left == node)
			node = node->parent;
		return node->parent;
	}
	node = node->left;
	while (node->right)
		node = node->right;
	return (struct need_node *)node;
}

void need_tree_remove(struct need_tree *tree, struct need_node *node)
{
	if (tree->first == node)
		tree->first = need_tree_next(node);
	if (tree->last == node)
		tree->last = need_tree_previous(node);
	while (node->left || node->right) {
		if (!node->left || (node->right && node->right->rank > node->left->rank))
			rotate_up(tree, node->right);
		else
			rotate_up(tree, node->left);
	}
	*link_to(tree, node) = NULL;
	sum_up_from(node->parent);
	node->parent = NULL;
}

void need_node_set(struct need_node *node, const struct queue_need *need)
{
	node->own = *need;
	sum_up_from(node);
}

void need_node_inner_changed(struct need_node *node)
{
	sum_up_from(node);
}

struct need_node *need_tree_first(const struct need_tree *tree)
{
	return tree->first;
}

/* The nearest ancestor that comes after everything in the branch of @node. */
static struct need_node *climb(const struct need_node *node)
{
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct need_node *need_tree_next(const struct need_node *node)
{
	if (!node->right)
		return climb(node);
	node = node->right;
	while (node->left)
		node = node->left;
	return (struct need_node *)node;
}

/* Recursion as deep as the branch, about forty levels for a million nodes. */
static struct need_node *branch_fit(struct need_node *node, const struct need_room *rooms,
				    unsigned *budget)
{
	while (node && *budget > 0 && least_may_fit(&node->least, rooms)) {
		struct need_node *found;

		(*budget)--;
		found = branch_fit(node->left, rooms, budget);
		if (found)
			return found;
		if (node_fits(node, rooms))
			return node;
		node = node->right;
	}
	return NULL;
}

struct need_node *need_tree_fit(const struct need_tree *tree, struct need_node *after,
				const struct need_room *rooms, unsigned *budget)
{
	struct need_node *found;

	if (!after)
		return branch_fit(tree->root, rooms, budget);
	found = branch_fit(after->right, rooms, budget);
	while (!found && *budget > 0) {
		after = climb(after);
		if (!after)
			return NULL;
		(*budget)--;
		if (node_fits(after, rooms))
			return after;
		found = branch_fit(after->right, rooms, budget);
	}
	return found;
}
