/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_NEED_TREE_H
#define SCHEDULER_NEED_TREE_H

/*
 * DOC: An ordered tree that finds the first fitting node
 *
 * An intrusive balanced tree (a treap: balanced by ranks that are hashes of addresses). Every node
 * knows the smallest processor need in its branch, for each class of memory (powers of two). So the
 * first node in the order that fits into the free resources is found without visiting those that
 * do not fit.
 *
 * Every operation is O(log n) expected; appending the last node and taking the first, as in a plain
 * queue, is O(1). need_tree_fit() can enter a branch in vain only for a node whose memory is of the
 * same class as the free memory and slightly larger; the caller's budget bounds how often.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct queue_need - resources of a host that an item takes while it runs */
struct queue_need {
	uint64_t cpu_milli; /* thousandths of a processor */
	uint64_t memory;    /* bytes */
};

/* classes of memory: below 8 MiB, 16 MiB, …, 128 GiB, and all above */
#define NEED_CLASSES 16
#define NEED_NONE UINT32_MAX

/**
 * struct need_least - the least that any node of a branch needs
 * @cpu_milli: [i] is the least of the nodes whose memory is of class i or lower; NEED_NONE: there
 *             are none
 */
struct need_least {
	uint32_t cpu_milli[NEED_CLASSES];
};

/** struct need_node - embedded in the ordered object */
struct need_node {
	struct need_node *left, *right, *parent;
	uint64_t rank;
	struct queue_need own;	 /* set before need_tree_insert(), changed by need_node_set() */
	struct need_least least; /* of this node and all below it */
	/*
	 * for a node that stands for a whole tree: the needs of that tree, used instead of @own;
	 * call need_node_inner_changed() when they change
	 */
	const struct need_least *inner;
};

/** struct need_tree - @before returns whether @a comes before @b; no two nodes are equal */
struct need_tree {
	struct need_node *root, *first, *last;
	bool (*before)(const struct need_node *a, const struct need_node *b);
};

/** queue_need_fits() - whether @need is at most @room, in both resources */
bool queue_need_fits(const struct queue_need *need, const struct queue_need *room);

/** struct need_room - free resources of one of several hosts */
struct need_room {
	struct queue_need free;
	const struct need_room *next; /* NULL: the last one */
};

/** need_tree_insert() - insert @node, which is in no tree; its @own need is set */
void need_tree_insert(struct need_tree *tree, struct need_node *node);
/** need_tree_remove() - remove @node, which is in @tree */
void need_tree_remove(struct need_tree *tree, struct need_node *node);
/** need_node_set() - change the need of @node, which keeps its position */
void need_node_set(struct need_node *node, const struct queue_need *need);
/** need_node_inner_changed() - update the branch after what node->inner points to has changed */
void need_node_inner_changed(struct need_node *node);
/** need_tree_first() - the first node. Return: NULL when the tree is empty. */
struct need_node *need_tree_first(const struct need_tree *tree);
/** need_tree_next() - the node after @node. Return: NULL when it is the last. */
struct need_node *need_tree_next(const struct need_node *node);
/**
 * need_tree_fit() - the first node after @after whose own need fits into one of @rooms, or whose
 * inner tree may have a node that fits
 * @after:  NULL to start with the first node
 * @budget: how many nodes may be visited; the rest is returned in it
 *
 * Return: NULL when none was found.
 */
struct need_node *need_tree_fit(const struct need_tree *tree, struct need_node *after,
				const struct need_room *rooms, unsigned *budget);

#endif
