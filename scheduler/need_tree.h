/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_NEED_TREE_H
#define SCHEDULER_NEED_TREE_H

/*
 * DOC: Things in an order, and the first of them that fits
 *
 * An intrusive balanced tree (a treap: balanced by ranks that are hashes of
 * addresses). Every node knows the least processors that anything in its branch
 * needs, for each class of memory (powers of two). So the first node in the
 * order that fits into what is free is found without looking at those that do
 * not fit.
 *
 * Every operation is O(log n) expected; what is put last, and what is taken
 * first, as in a plain line, is O(1). In order_fit() only what is of the very
 * class of the memory that is free, and needs a bit more than that, can lead
 * into a branch in vain; the caller's budget bounds how often.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct queue_need - what something takes of the host while it runs */
struct queue_need {
	uint64_t cpu_milli; /* thousandths of a processor */
	uint64_t memory;    /* bytes */
};

/* classes of memory: below 8 MiB, 16 MiB, …, 128 GiB, and all above */
#define ORDER_CLASSES 16
#define ORDER_NONE UINT32_MAX

/**
 * struct order_least - what a branch needs at least
 * @cpu_milli: [i] is the least of those whose memory is of class i or lower; ORDER_NONE:
 *             there are none
 */
struct order_least {
	uint32_t cpu_milli[ORDER_CLASSES];
};

/** struct order_node - embedded in what is ordered */
struct order_node {
	struct order_node *left, *right, *parent;
	uint64_t rank;
	struct queue_need own;	  /* set before order_insert(), changed by order_set_need() */
	struct order_least least; /* of this node and all below it */
	/* a node that stands for a whole order instead has this, not @own, and calls
	 * order_inner_changed() */
	const struct order_least *inner;
};

/** struct order_tree - @before says whether @a stands before @b; no two nodes are equal */
struct order_tree {
	struct order_node *root, *first, *last;
	bool (*before)(const struct order_node *a, const struct order_node *b);
};

/** queue_need_fits() - is @need no more than @room, of both kinds? */
bool queue_need_fits(const struct queue_need *need, const struct queue_need *room);

/** order_insert() - @node is in no order yet; its @own need is set */
void order_insert(struct order_tree *order, struct order_node *node);
/** order_remove() - @node is in @order */
void order_remove(struct order_tree *order, struct order_node *node);
/** order_set_need() - @node stays where it is, but needs something else */
void order_set_need(struct order_node *node, const struct queue_need *need);
/** order_inner_changed() - what node->inner points to is different from what it was */
void order_inner_changed(struct order_node *node);
/** order_first() - Return: NULL when empty. */
struct order_node *order_first(const struct order_tree *order);
/** order_next() - the one after @node. Return: NULL when it is the last. */
struct order_node *order_next(const struct order_node *node);
/**
 * order_fit() - the first one after @after whose own need fits into @room, or in whose
 * inner order something may fit
 * @after:  NULL for the first of all
 * @budget: nodes that may be looked at; what is left comes back in it
 *
 * Return: NULL when none was found.
 */
struct order_node *order_fit(const struct order_tree *order, struct order_node *after,
			     const struct queue_need *room, unsigned *budget);

#endif
