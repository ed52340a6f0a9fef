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
 * first, as in a plain line, is O(1). In need_tree_fit() only what is of the very
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
#define NEED_CLASSES 16
#define NEED_NONE UINT32_MAX

/**
 * struct need_least - what a branch needs at least
 * @cpu_milli: [i] is the least of those whose memory is of class i or lower; NEED_NONE:
 *             there are none
 */
struct need_least {
	uint32_t cpu_milli[NEED_CLASSES];
};

/** struct need_node - embedded in what is ordered */
struct need_node {
	struct need_node *left, *right, *parent;
	uint64_t rank;
	struct queue_need own;	 /* set before need_tree_insert(), changed by need_node_set() */
	struct need_least least; /* of this node and all below it */
	/* a node that stands for a whole tree instead has this, not @own, and calls
	 * need_node_inner_changed() */
	const struct need_least *inner;
};

/** struct need_tree - @before says whether @a stands before @b; no two nodes are equal */
struct need_tree {
	struct need_node *root, *first, *last;
	bool (*before)(const struct need_node *a, const struct need_node *b);
};

/** queue_need_fits() - is @need no more than @room, of both kinds? */
bool queue_need_fits(const struct queue_need *need, const struct queue_need *room);

/** struct need_room - what is free in one of several places */
struct need_room {
	struct queue_need free;
	const struct need_room *next; /* NULL: the last one */
};

/** need_tree_insert() - @node is in no tree yet; its @own need is set */
void need_tree_insert(struct need_tree *tree, struct need_node *node);
/** need_tree_remove() - @node is in @tree */
void need_tree_remove(struct need_tree *tree, struct need_node *node);
/** need_node_set() - @node stays where it is, but needs something else */
void need_node_set(struct need_node *node, const struct queue_need *need);
/** need_node_inner_changed() - what node->inner points to is different from what it was */
void need_node_inner_changed(struct need_node *node);
/** need_tree_first() - Return: NULL when empty. */
struct need_node *need_tree_first(const struct need_tree *tree);
/** need_tree_next() - the one after @node. Return: NULL when it is the last. */
struct need_node *need_tree_next(const struct need_node *node);
/**
 * need_tree_fit() - the first one after @after whose own need fits into one of @rooms, or in
 * whose inner tree something may fit
 * @after:  NULL for the first of all
 * @budget: nodes that may be looked at; what is left comes back in it
 *
 * Return: NULL when none was found.
 */
struct need_node *need_tree_fit(const struct need_tree *tree, struct need_node *after,
				const struct need_room *rooms, unsigned *budget);

#endif
