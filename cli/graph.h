/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

/*
 * The DAG of a runbook or of a run, and its pictures. A run's graph has states;
 * the SVG is laid out here (levels by longest path, crossings reduced by the
 * barycentre heuristic), so that no Graphviz is needed.
 */

#include "cli/text.h"
#include "runbook/runbook.h"

#include <jansson.h>

struct graph_node {
	char *name;
	char *state; /* NULL: not of a run */
	char *note;  /* duration, NULL when there is none */
	size_t *needs;
	size_t n_needs;
	size_t group;	 /* index into groups + 1; 0: none */
	size_t level;	 /* longest path from a node without needs */
	size_t position; /* place in its level */
};

/** struct graph_group - instances of a matrix, neighbours in nodes; a run's graph has none */
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

/** graph_of_runbook(), graph_of_run() - NULL when out of memory or when a run's steps make no DAG */
struct graph *graph_of_runbook(const struct runbook *runbook);
struct graph *graph_of_run(const json_t *run);
struct graph *graph_free(struct graph *graph);

/** graph_text() - levels from left to right as indentation, one step a line */
void graph_text(const struct graph *graph, bool utf8, bool color, struct text_buffer *out);
/** graph_dot() - for Graphviz */
void graph_dot(const struct graph *graph, struct text_buffer *out);
/** graph_svg() - a self-contained picture */
void graph_svg(const struct graph *graph, struct text_buffer *out);

#endif
