/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_MATRIX_H
#define RUNBOOK_MATRIX_H

/*
 * DOC: Matrices
 *
 * Axes make combinations: each value of the first with each of the second and so
 * on. "exclude" takes combinations out. Then each entry of "include" is laid upon
 * every combination of the axes whose values of the axes it does not contradict,
 * adding the names it has beyond the axes; an entry that fits none becomes a
 * combination of its own. (What is known as include and exclude elsewhere means
 * the same.) A combination is a row of values, one for each name; NULL where it
 * has none.
 */

#include "runbook/schema.h"

#define MATRIX_NAMES_MAX 32	     /* axes, and names that only "include" has */
#define MATRIX_COMBINATIONS_MAX 1000 /* of one matrix */
#define MATRIX_ENTRIES_MAX 1000	     /* of "include" or "exclude" */
#define MATRIX_ALL_MAX 20000	     /* combinations of all matrices, before "exclude" */
#define MATRIX_TEXT_MAX (16 * MIB)   /* commands, variables and patterns of all instances */
/* what an entry of a list takes beside its text: pointers, and what the allocator keeps */
#define MATRIX_ENTRY_OVERHEAD 80
#define RUNBOOK_EDGES_MAX 400000 /* dependencies, groups of instances written out */

/** report_edges() - more of them than that, with the list at @path */
void report_edges(struct draft *draft, const struct node *list, const struct node_path *path);

/** struct matrix - one being read; texts are the document's. matrix_done() it. */
struct matrix {
	struct runbook_place place;
	const struct node *names[MATRIX_NAMES_MAX]; /* first those of the axes */
	const struct node *axes[MATRIX_NAMES_MAX];  /* their lists */
	size_t n_names, n_axes;
	const char **values;   /* n_combinations rows of n_names */
	size_t n_combinations; /* 0: there is something wrong with it */
	uint64_t limit;
	bool fail_fast;
	const struct node *include, *exclude; /* lists of maps; NULL: none */
};

/**
 * matrix_read() - the value of "matrix" to combinations
 * @ret: zeroed; on findings it has no combinations
 *
 * Return: 0 or -ENOMEM.
 */
int matrix_read(struct draft *draft, const struct node *node, const struct node_path *path,
		struct matrix *ret);
void matrix_done(struct matrix *matrix);
#define cleanup_matrix __attribute__((cleanup(matrix_done)))

/** matrix_read_entries() - the form of "include" and "exclude"; keeps the node */
value_fn matrix_read_entries;

/** matrix_name_find() - index of @name (@length bytes) in matrix->names, or -1 */
int matrix_name_find(const struct matrix *matrix, const char *name, size_t length);
/** matrix_value() - of a combination; NULL: it has none of that name */
const char *matrix_value(const struct matrix *matrix, size_t combination, size_t name);
/** matrix_instance_name() - "NAME (a=1, b=2)", malloc'ed, or NULL */
char *matrix_instance_name(const struct matrix *matrix, size_t combination, const char *name);

/** struct expanded - text with its placeholders replaced; expanded_done() it */
struct expanded {
	struct node node; /* like the original, but for its text */
	char *owned;
};

/**
 * node_expand() - replace {{ matrix.NAME }} in a text
 *
 * What is no text, or has no placeholder, comes back as it is. Only placeholders
 * of "matrix." are known; other braces are text.
 *
 * Return: 0, 1 when something was reported and there is nothing to use, or -ENOMEM.
 */
int node_expand(struct draft *draft, const struct node *node, const struct node_path *path,
		struct expanded *ret);
void expanded_done(struct expanded *expanded);
#define cleanup_expanded __attribute__((cleanup(expanded_done)))

/** placeholders_refuse() - report {{ matrix.NAME }} where it would not be replaced. Return: found? */
bool placeholders_refuse(struct draft *draft, const struct node *node, const struct node_path *path,
			 const char *fix);

/** placeholders_check() - are all {{ … }} of a concurrency group known? Reports if not. */
bool placeholders_check(struct draft *draft, const struct node *node, const struct node_path *path);

#endif
