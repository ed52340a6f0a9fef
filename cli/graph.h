/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

/*
 * DOC: Graphs of steps
 *
 * "runbookctl graph" draws the DAG of a runbook, or that of a run with its states and
 * durations, as text, for Graphviz, or as SVG. The SVG is laid out here, so Graphviz is
 * not needed for it: a step's level is the longest path to it, and the barycentre
 * heuristic reduces crossings.
 */

#include "cli/text.h"
#include "runbook/runbook.h"

#include <jansson.h>

struct graph_node {
	char *name;
	char *state; /* NULL in the graph of a runbook */
	char *note;  /* the duration, or NULL */
	size_t *needs;
	size_t n_needs;
	size_t group;	 /* index into groups + 1; 0: none */
	size_t level;	 /* longest path from a node without needs */
	size_t position; /* place in its level */
};

/** struct graph_group - instances of a matrix, adjacent in nodes; not in the graph of a run */
struct graph_group {
	char *name;
	size_t first, n_nodes;
};

struct graph {
	struct graph_node *nodes;
	size_t n_nodes;
	size_t n_levels;
	struct graph_group *groups;
	size_t n_groups;
};

/** graph_of_runbook() - NULL when out of memory */
struct graph *graph_of_runbook(const struct runbook *runbook);
/** graph_of_run() - of the api's Run object; NULL when out of memory or if it has a cycle */
struct graph *graph_of_run(const json_t *run);
/** graph_free() - Return: NULL */
struct graph *graph_free(struct graph *graph);

/** graph_text() - append one line for each step, indented by its level */
void graph_text(const struct graph *graph, bool utf8, bool color, struct text_buffer *out);
/** graph_dot() - append a description in Graphviz' language DOT */
void graph_dot(const struct graph *graph, struct text_buffer *out);
/** graph_svg() - append a self-contained SVG picture */
void graph_svg(const struct graph *graph, struct text_buffer *out);

#endif
