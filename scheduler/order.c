/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/order.h"

bool queue_need_fits(const struct queue_need *need, const struct queue_need *room)
{
	return need->cpu_milli <= room->cpu_milli && need->memory <= room->memory;
}

static bool need_equal(const struct queue_need *a, const struct queue_need *b)
{
	return a->cpu_milli == b->cpu_milli && a->memory == b->memory;
}

static void need_lower(struct queue_need *least, const struct order_node *child)
{
	if (!child)
		return;
	if (child->least.cpu_milli < least->cpu_milli)
		least->cpu_milli = child->least.cpu_milli;
	if (child->least.memory < least->memory)
		least->memory = child->least.memory;
}

/* Return: whether the node's @least changed. */
static bool node_sum_up(struct order_node *node)
{
	struct queue_need least = node->own;

	need_lower(&least, node->left);
	need_lower(&least, node->right);
	if (need_equal(&least, &node->least))
		return false;
	node->least = least;
	return true;
}

static void sum_up_from(struct order_node *node)
{
	while (node && node_sum_up(node))
		node = node->parent;
}

/* Good ranks look random; where a node lies has nothing to do with its place in the order. */
static uint64_t rank_of(const struct order_node *node)
{
	uint64_t hash = (uint64_t)(uintptr_t)node;

	hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
	return hash ^ (hash >> 31);
}

static struct order_node **link_to(struct order_tree *order, const struct order_node *node)
{
	if (!node->parent)
		return &order->root;
	return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

static void rotate_up(struct order_tree *order, struct order_node *node)
{
	struct order_node *parent = node->parent, *moved;
	struct order_node **link = link_to(order, parent);

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

void order_insert(struct order_tree *order, struct order_node *node)
{
	struct order_node **link = &order->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = order->before(node, parent) ? &parent->left : &parent->right;
	}
	node->left = node->right = NULL;
	node->parent = parent;
	node->rank = rank_of(node);
	node->least = node->own;
	*link = node;
	sum_up_from(parent);
	while (node->parent && node->parent->rank < node->rank)
		rotate_up(order, node);
}

void order_remove(struct order_tree *order, struct order_node *node)
{
	while (node->left || node->right) {
		if (!node->left || (node->right && node->right->rank > node->left->rank))
			rotate_up(order, node->right);
		else
			rotate_up(order, node->left);
	}
	*link_to(order, node) = NULL;
	sum_up_from(node->parent);
	node->parent = NULL;
}

void order_set_need(struct order_node *node, const struct queue_need *need)
{
	if (need_equal(&node->own, need))
		return;
	node->own = *need;
	sum_up_from(node);
}

struct order_node *order_first(const struct order_tree *order)
{
	struct order_node *node = order->root;

	while (node && node->left)
		node = node->left;
	return node;
}

/* The nearest one above that stands after everything in @node's branch. */
static struct order_node *climb(const struct order_node *node)
{
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct order_node *order_next(const struct order_node *node)
{
	if (!node->right)
		return climb(node);
	node = node->right;
	while (node->left)
		node = node->left;
	return (struct order_node *)node;
}

/* As deep as the branch, which is expected to be some forty for a million nodes. */
static struct order_node *branch_fit(struct order_node *node, const struct queue_need *room,
				     unsigned *budget)
{
	while (node && *budget > 0 && queue_need_fits(&node->least, room)) {
		struct order_node *found;

		(*budget)--;
		found = branch_fit(node->left, room, budget);
		if (found)
			return found;
		if (queue_need_fits(&node->own, room))
			return node;
		node = node->right;
	}
	return NULL;
}

struct order_node *order_fit(const struct order_tree *order, struct order_node *after,
			     const struct queue_need *room, unsigned *budget)
{
	struct order_node *found;

	if (!after)
		return branch_fit(order->root, room, budget);
	found = branch_fit(after->right, room, budget);
	while (!found && *budget > 0) {
		after = climb(after);
		if (!after)
			return NULL;
		(*budget)--;
		if (queue_need_fits(&after->own, room))
			return after;
		found = branch_fit(after->right, room, budget);
	}
	return found;
}
