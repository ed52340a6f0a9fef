/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/need_tree.h"

#include <string.h>

bool queue_need_fits(const struct queue_need *need, const struct queue_need *room)
{
	return need->cpu_milli <= room->cpu_milli && need->memory <= room->memory;
}

static unsigned memory_class(uint64_t memory)
{
	unsigned class = memory >> 23 ? 64 - (unsigned)__builtin_clzll(memory >> 23) : 0;

	return class < ORDER_CLASSES ? class : ORDER_CLASSES - 1;
}

/* May something of the branch fit? Never a wrong no. */
static bool least_may_fit(const struct order_least *least, const struct queue_need *room)
{
	uint32_t cpu_milli = least->cpu_milli[memory_class(room->memory)];

	return cpu_milli != ORDER_NONE && cpu_milli <= room->cpu_milli;
}

static void least_of_need(struct order_least *least, const struct queue_need *need)
{
	unsigned class = memory_class(need->memory);
	uint32_t cpu_milli =
		need->cpu_milli < ORDER_NONE ? (uint32_t)need->cpu_milli : ORDER_NONE - 1;

	for (unsigned i = 0; i < ORDER_CLASSES; i++)
		least->cpu_milli[i] = i < class ? ORDER_NONE : cpu_milli;
}

static void least_lower(struct order_least *least, const struct order_node *child)
{
	if (!child)
		return;
	for (unsigned i = 0; i < ORDER_CLASSES; i++) {
		if (child->least.cpu_milli[i] < least->cpu_milli[i])
			least->cpu_milli[i] = child->least.cpu_milli[i];
	}
}

/* Return: whether the node's @least changed. */
static bool node_sum_up(struct order_node *node)
{
	struct order_least least;

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

static void sum_up_from(struct order_node *node)
{
	while (node && node_sum_up(node))
		node = node->parent;
}

static bool node_fits(const struct order_node *node, const struct queue_need *room)
{
	return node->inner ? least_may_fit(node->inner, room) : queue_need_fits(&node->own, room);
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

/* Where @node belongs: the link to it, which is free, and its parent. */
static struct order_node **link_find(struct order_tree *order, const struct order_node *node,
				     struct order_node **ret_parent)
{
	struct order_node **link = &order->root, *parent = NULL;

	/* most come last: no need to walk there */
	if (order->last && !order->before(node, order->last)) {
		*ret_parent = order->last;
		return &order->last->right;
	}
	while (*link) {
		parent = *link;
		link = order->before(node, parent) ? &parent->left : &parent->right;
	}
	*ret_parent = parent;
	return link;
}

void order_insert(struct order_tree *order, struct order_node *node)
{
	struct order_node *parent = NULL, **link = link_find(order, node, &parent);

	node->left = node->right = NULL;
	node->parent = parent;
	node->rank = rank_of(node);
	*link = node;
	if (!parent || (order->first == parent && link == &parent->left))
		order->first = node;
	if (!parent || (order->last == parent && link == &parent->right))
		order->last = node;
	memset(&node->least, 0xff, sizeof(node->least));
	(void)node_sum_up(node);
	sum_up_from(parent);
	while (node->parent && node->parent->rank < node->rank)
		rotate_up(order, node);
}

static struct order_node *order_previous(const struct order_node *node)
{
	if (!node->left) {
		while (node->parent && node->parent->left == node)
			node = node->parent;
		return node->parent;
	}
	node = node->left;
	while (node->right)
		node = node->right;
	return (struct order_node *)node;
}

void order_remove(struct order_tree *order, struct order_node *node)
{
	if (order->first == node)
		order->first = order_next(node);
	if (order->last == node)
		order->last = order_previous(node);
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
	node->own = *need;
	sum_up_from(node);
}

void order_inner_changed(struct order_node *node)
{
	sum_up_from(node);
}

struct order_node *order_first(const struct order_tree *order)
{
	return order->first;
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
	while (node && *budget > 0 && least_may_fit(&node->least, room)) {
		struct order_node *found;

		(*budget)--;
		found = branch_fit(node->left, room, budget);
		if (found)
			return found;
		if (node_fits(node, room))
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
		if (node_fits(after, room))
			return after;
		found = branch_fit(after->right, room, budget);
	}
	return found;
}
