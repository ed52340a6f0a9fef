/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

/*
 * DOC: Intrusive lists
 *
 * A doubly linked list with its nodes embedded in the caller's objects, so that adding and
 * removing allocate nothing and cost O(1). Zeroed memory is an empty list and an unlinked node:
 * objects from calloc() need no initialisation. A node points to its list, so list_remove()
 * needs only the node and does nothing for an unlinked one. Neither a list with members nor a
 * linked node may be moved in memory.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/** struct list_node - a member of the listed object, zeroed if it is in no list */
struct list_node {
	struct list_node *next, *previous; /* NULL at the ends */
	struct list *list;		   /* NULL: the node is in no list */
};

struct list {
	struct list_node *first, *last; /* NULL: the list is empty */
};

/** list_insert() - add @node, which is in no list, before @next; NULL: at the end */
static inline void list_insert(struct list *list, struct list_node *node, struct list_node *next)
{
	assert(!node->list && (!next || next->list == list));
	node->list = list;
	node->next = next;
	node->previous = next ? next->previous : list->last;
	*(node->previous ? &node->previous->next : &list->first) = node;
	*(next ? &next->previous : &list->last) = node;
}

/** list_append() - add @node, which is in no list, at the end */
static inline void list_append(struct list *list, struct list_node *node)
{
	list_insert(list, node, NULL);
}

/** list_prepend() - add @node, which is in no list, at the beginning */
static inline void list_prepend(struct list *list, struct list_node *node)
{
	list_insert(list, node, list->first);
}

/** list_remove() - take @node out of its list; no-op if it is in none */
static inline void list_remove(struct list_node *node)
{
	struct list *list = node->list;

	if (!list)
		return;
	*(node->previous ? &node->previous->next : &list->first) = node->next;
	*(node->next ? &node->next->previous : &list->last) = node->previous;
	*node = (struct list_node){NULL, NULL, NULL};
}

/** list_pop() - take out the first node. Return: NULL if the list is empty. */
static inline struct list_node *list_pop(struct list *list)
{
	struct list_node *node = list->first;

	if (node)
		list_remove(node);
	return node;
}

/** list_empty() - is @list without members? */
static inline bool list_empty(const struct list *list)
{
	return !list->first;
}

/** list_linked() - is @node in a list? */
static inline bool list_linked(const struct list_node *node)
{
	return node->list != NULL;
}

/* The object around @node, whose member lies @offset bytes into it; NULL for NULL. */
static inline void *list_object(const struct list_node *node, size_t offset)
{
	return node ? (char *)node - offset : NULL;
}

/** list_entry() - the object of @type whose @member is @node; NULL for NULL */
#define list_entry(node, type, member) ((type *)list_object((node), offsetof(type, member)))

/** list_each() - walk from the first to the last; @entry must stay in the list meanwhile */
#define list_each(entry, list, member)                                                             \
	for ((entry) = list_entry((list)->first, __typeof__(*(entry)), member); (entry);           \
	     (entry) = list_entry((entry)->member.next, __typeof__(*(entry)), member))

/** list_each_safe() - the same; @entry may be removed and freed, @following may not */
#define list_each_safe(entry, following, list, member)                                             \
	for ((entry) = list_entry((list)->first, __typeof__(*(entry)), member);                    \
	     (entry) &&                                                                            \
	     ((following) = list_entry((entry)->member.next, __typeof__(*(entry)), member), true); \
	     (entry) = (following))

#endif
