/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_MATRIX_H
#define RUNBOOK_MATRIX_H

/*
 * DOC: Matrices
 *
 * A matrix makes instances of a step, one for each combination of the values of its axes.
 * "exclude" removes combinations. Then each entry of "include" extends every combination whose
 * axis values it does not contradict, by its names that are not axes; an entry that extends
 * none becomes a combination of its own. (Other CI systems define include and exclude in the
 * same way.) A combination is a row of values, one for each name; NULL if it has none.
 */

#include "runbook/schema.h"

#define MATRIX_NAMES_MAX 32	     /* axes, and names that only "include" has */
#define MATRIX_COMBINATIONS_MAX 1000 /* of one matrix */
#define MATRIX_ENTRIES_MAX 1000	     /* of "include" or "exclude" */
#define MATRIX_ALL_MAX 20000	     /* combinations of all matrices, before "exclude" */
#define MATRIX_TEXT_MAX (16 * MIB)   /* commands, variables and patterns of all instances */
/* bytes of an entry of a list besides its text: pointers and the allocator's overhead */
#define MATRIX_ENTRY_OVERHEAD 80
#define RUNBOOK_EDGES_MAX 400000 /* dependencies, with each instance of a matrix counted */

/** report_edges() - report that the list at @path exceeds RUNBOOK_EDGES_MAX */
void report_edges(struct draft *draft, const struct node *list, const struct node_path *path);

/** struct matrix - a matrix while it is read; texts belong to the document. matrix_done() it. */
struct matrix {
	struct runbook_place place;
	const struct node *names[MATRIX_NAMES_MAX]; /* axes first */
	const struct node *axes[MATRIX_NAMES_MAX];  /* their lists */
	size_t n_names, n_axes;
	const char **values;   /* n_combinations rows of n_names */
	size_t n_combinations; /* 0: the matrix is invalid */
	uint64_t limit;
	bool fail_fast;
	const struct node *include, *exclude; /* lists of maps; NULL: none */
};

/**
 * matrix_read() - turn the value of "matrix" into combinations
 * @ret: zeroed; gets no combinations if there were findings
 *
 * Return: 0 or -ENOMEM.
 */
int matrix_read(struct draft *draft, const struct node *node, const struct node_path *path,
		struct matrix *ret);
void matrix_done(struct matrix *matrix);
#define cleanup_matrix __attribute__((cleanup(matrix_done)))

/** matrix_read_entries() - check the form of "include" and "exclude", and keep the node */
value_fn matrix_read_entries;

/** matrix_name_find() - index of @name (@length bytes) in matrix->names, or -1 */
int matrix_name_find(const struct matrix *matrix, const char *name, size_t length);
/** matrix_value() - the value of name number @name in a combination; NULL: it has none */
const char *matrix_value(const struct matrix *matrix, size_t combination, size_t name);
/** matrix_instance_name() - "NAME (a=1, b=2)", malloc'ed, or NULL */
char *matrix_instance_name(const struct matrix *matrix, size_t combination, const char *name);

/** struct expanded - text with its placeholders replaced; expanded_done() it */
struct expanded {
	struct node node; /* like the original, except its text */
	char *owned;
};

/**
 * node_expand() - replace {{ matrix.NAME }} in a text
 *
 * A value that is not a text, or has no placeholder, is returned as it is. Only placeholders
 * that begin with "matrix." count; other braces are text.
 *
 * Return: 0; 1 after a finding, without a result; -ENOMEM.
 */
int node_expand(struct draft *draft, const struct node *node, const struct node_path *path,
		struct expanded *ret);
void expanded_done(struct expanded *expanded);
#define cleanup_expanded __attribute__((cleanup(expanded_done)))

/** placeholders_refuse() - report {{ matrix.NAME }} in a key that allows none. Return: found? */
bool placeholders_refuse(struct draft *draft, const struct node *node, const struct node_path *path,
			 const char *fix);

/** placeholders_check() - report unknown {{ … }} of a concurrency group. Return: all are known? */
bool placeholders_check(struct draft *draft, const struct node *node, const struct node_path *path);

#endif
