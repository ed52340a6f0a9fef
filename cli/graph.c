/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/graph.h"

#include "cli/json.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <stdlib.h>
#include <string.h>

static struct graph *graph_new(size_t n_nodes)
{
	struct graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		return NULL;
	graph->nodes = calloc(n_nodes ? n_nodes : 1, sizeof(*graph->nodes));
	if (!graph->nodes)
		return graph_free(graph);
	graph->n_nodes = n_nodes;
	return graph;
}

struct graph *graph_free(struct graph *graph)
{
	if (!graph)
		return NULL;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		free(graph->nodes[i].name);
		free(graph->nodes[i].state);
		free(graph->nodes[i].note);
		free(graph->nodes[i].needs);
	}
	free(graph->nodes);
	for (size_t i = 0; i < graph->n_groups; i++)
		free(graph->groups[i].name);
	free(graph->groups);
	free(graph);
	return NULL;
}

/*
 * Set levels: that of a node is one more than the highest of its needs. The nodes are
 * visited in Kahn's topological order, so it takes linear time. Return: false for a cycle.
 */
static bool graph_set_levels(struct graph *graph)
{
	size_t n = graph->n_nodes, n_edges = 0, head = 0, tail = 0;
	cleanup_free size_t *waits = calloc(n + 1, sizeof(*waits));
	cleanup_free size_t *first = calloc(n + 2, sizeof(*first));
	cleanup_free size_t *queue = calloc(n + 1, sizeof(*queue));
	cleanup_free size_t *users = NULL;

	if (!waits || !first || !queue)
		return false;
	for (size_t i = 0; i < n; i++) {
		waits[i] = graph->nodes[i].n_needs;
		n_edges += waits[i];
		for (size_t j = 0; j < graph->nodes[i].n_needs; j++)
			first[graph->nodes[i].needs[j] + 2]++;
	}
	users = calloc(n_edges + 1, sizeof(*users));
	if (!users)
		return false;
	for (size_t i = 2; i < n + 2; i++)
		first[i] += first[i - 1];
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < graph->nodes[i].n_needs; j++)
			users[first[graph->nodes[i].needs[j] + 1]++] = i;
	for (size_t i = 0; i < n; i++)
		if (waits[i] == 0)
			queue[tail++] = i;
	while (head < tail) {
		size_t node = queue[head++];
		size_t level = graph->nodes[node].level;

		if (level + 1 > graph->n_levels)
			graph->n_levels = level + 1;
		for (size_t i = first[node]; i < first[node + 1]; i++) {
			struct graph_node *user = &graph->nodes[users[i]];

			if (user->level < level + 1)
				user->level = level + 1;
			if (--waits[users[i]] == 0)
				queue[tail++] = users[i];
		}
	}
	return tail == n;
}

static bool graph_add_groups(struct graph *graph, const struct runbook *runbook)
{
	graph->groups = calloc(runbook->n_matrices + 1, sizeof(*graph->groups));
	if (!graph->groups)
		return false;
	for (size_t i = 0; i < runbook->n_matrices; i++) {
		const struct runbook_matrix *matrix = &runbook->matrices[i];
		struct graph_group *group = &graph->groups[graph->n_groups++];

		*group = (struct graph_group){strdup(matrix->name), matrix->first, matrix->n_steps};
		if (!group->name)
			return false;
		for (size_t j = 0; j < matrix->n_steps; j++)
			graph->nodes[matrix->first + j].group = i + 1;
	}
	return true;
}

struct graph *graph_of_runbook(const struct runbook *runbook)
{
	struct graph *graph = graph_new(runbook->n_steps);

	if (!graph || !graph_add_groups(graph, runbook))
		return graph_free(graph);
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[i];
		struct graph_node *node = &graph->nodes[i];

		node->name = strdup(step->name);
		node->needs = calloc(step->n_depends_on + 1, sizeof(*node->needs));
		if (!node->name || !node->needs)
			return graph_free(graph);
		for (size_t j = 0; j < step->n_depends_on; j++)
			node->needs[node->n_needs++] = step->depends_on[j];
	}
	return graph_set_levels(graph) ? graph : graph_free(graph);
}

struct name_entry {
	const char *name;
	size_t index;
};

static int compare_names(const void *one, const void *other)
{
	return strcmp(((const struct name_entry *)one)->name,
		      ((const struct name_entry *)other)->name);
}

/* Fill in the node of @step; @index, sorted by name, resolves the names of its needs. */
static bool fill_node(struct graph_node *node, const json_t *step, const struct name_entry *index,
		      size_t n_index)
{
	const json_t *needs = json_object_get(step, "depends_on");
	uint64_t started = json_number(step, "started_usec"),
		 ended = json_number(step, "ended_usec");
	json_t *need;
	size_t i;

	node->name = strdup(json_text(step, "name"));
	node->state = strdup(json_text(step, "state"));
	node->needs = calloc(json_array_size(needs) + 1, sizeof(*node->needs));
	if (!node->name || !node->state || !node->needs)
		return false;
	if (started > 0) {
		char text[32];
		uint64_t until = ended ? ended : wall_usec();

		format_duration(text, sizeof(text), until > started ? until - started : 0);
		node->note = strdup(text);
	}
	json_array_foreach ((json_t *)needs, i, need) {
		struct name_entry key = {.name = json_string_value(need)};
		const struct name_entry *found =
			key.name ? bsearch(&key, index, n_index, sizeof(key), compare_names) : NULL;

		if (found)
			node->needs[node->n_needs++] = found->index;
	}
	return true;
}

static bool fill_nodes(struct graph *graph, const json_t *steps)
{
	struct name_entry *index = calloc(graph->n_nodes + 1, sizeof(*index));
	bool filled = index != NULL;
	json_t *step;
	size_t i;

	if (!index)
		return false;
	json_array_foreach ((json_t *)steps, i, step)
		index[i] = (struct name_entry){.name = json_text(step, "name"), .index = i};
	qsort(index, graph->n_nodes, sizeof(*index), compare_names);
	json_array_foreach ((json_t *)steps, i, step)
		filled = filled && fill_node(&graph->nodes[i], step, index, graph->n_nodes);
	free(index);
	return filled;
}

struct graph *graph_of_run(const json_t *run)
{
	const json_t *steps = json_object_get(run, "steps");
	struct graph *graph = graph_new(json_array_size(steps));

	if (graph && fill_nodes(graph, steps) && graph_set_levels(graph))
		return graph;
	return graph_free(graph);
}

/* Return: the group all of whose instances are needs of @node from index @at on, or NULL. */
static const struct graph_group *whole_group(const struct graph *graph,
					     const struct graph_node *node, size_t at)
{
	size_t index = graph->nodes[node->needs[at]].group;
	const struct graph_group *group;

	if (index == 0)
		return NULL;
	group = &graph->groups[index - 1];
	for (size_t i = 0; i < group->n_nodes; i++) {
		if (at + i == node->n_needs || node->needs[at + i] != group->first + i)
			return NULL;
	}
	return group;
}

/* Append the needs of a step; all instances of a matrix become one word. */
static void text_needs(const struct graph *graph, const struct graph_node *node, bool utf8,
		       bool color, struct text_buffer *out)
{
	char name[512];

	text_printf(out, "%s%s", sgr(color, SGR_DIM), utf8 ? "  ← " : "  <- ");
	for (size_t j = 0; j < node->n_needs;) {
		const struct graph_group *group = whole_group(graph, node, j);

		text_escape(name, sizeof(name),
			    group ? group->name : graph->nodes[node->needs[j]].name);
		text_printf(out, "%s%s", j ? ", " : "", name);
		if (group)
			text_printf(out, " (%zu)", group->n_nodes);
		j += group ? group->n_nodes : 1;
	}
	text_puts(out, sgr(color, SGR_RESET));
}

void graph_text(const struct graph *graph, bool utf8, bool color, struct text_buffer *out)
{
	for (size_t level = 0; level < graph->n_levels; level++) {
		for (size_t i = 0; i < graph->n_nodes; i++) {
			const struct graph_node *node = &graph->nodes[i];
			char name[512];

			if (node->level != level)
				continue;
			text_escape(name, sizeof(name), node->name);
			text_printf(out, "%*s", (int)(2 * level), "");
			if (node->state)
				text_printf(out, "%s%s%s ", sgr(color, state_color(node->state)),
					    state_glyph(node->state, utf8), sgr(color, SGR_RESET));
			text_puts(out, name);
			if (node->state)
				text_printf(out, "  %s%s%s", sgr(color, state_color(node->state)),
					    node->state, sgr(color, SGR_RESET));
			if (node->note)
				text_printf(out, " %s", node->note);
			if (node->n_needs > 0)
				text_needs(graph, node, utf8, color, out);
			text_puts(out, "\n");
		}
	}
}

static const char *fill_color(const char *state)
{
	static const struct {
		const char *state, *fill;
	} fills[] = {
		{"succeeded", "#d3f2d3"}, {"failed", "#f9d0d0"},  {"errored", "#f3cdf3"},
		{"cancelled", "#f7ebc3"}, {"running", "#cdebf7"}, {"ready", "#dfe4fb"},
	};

	for (size_t i = 0; state && i < ARRAY_SIZE(fills); i++)
		if (strcmp(fills[i].state, state) == 0)
			return fills[i].fill;
	return "#f2f2f2";
}

static void dot_quote(struct text_buffer *out, const char *text)
{
	text_puts(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			text_puts(out, "\\");
		text_append(out, text, 1);
	}
	text_puts(out, "\"");
}

void graph_dot(const struct graph *graph, struct text_buffer *out)
{
	text_puts(out, "digraph runbook {\n\trankdir=LR;\n\tnode [shape=box, style=\"rounded,"
		       "filled\", fontname=\"sans-serif\"];\n");
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *node = &graph->nodes[i];
		const struct graph_group *group =
			node->group ? &graph->groups[node->group - 1] : NULL;

		if (group && group->first == i) {
			text_printf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=", node->group - 1);
			dot_quote(out, group->name);
			text_puts(out, ";\n");
		}
		text_puts(out, "\t");
		dot_quote(out, node->name);
		text_printf(out, " [fillcolor=\"%s\"", fill_color(node->state));
		if (node->state)
			text_printf(out, ", tooltip=\"%s\"", node->state);
		text_puts(out, "];\n");
		if (group && i + 1 == group->first + group->n_nodes)
			text_puts(out, "\t}\n");
	}
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *node = &graph->nodes[i];

		for (size_t j = 0; j < node->n_needs; j++) {
			text_puts(out, "\t");
			dot_quote(out, graph->nodes[node->needs[j]].name);
			text_puts(out, " -> ");
			dot_quote(out, node->name);
			text_puts(out, ";\n");
		}
	}
	text_puts(out, "}\n");
}

/* ---- SVG ---- */

#define BOX_HEIGHT 34
#define ROW_GAP 18
#define LEVEL_GAP 60
#define MARGIN 20
#define LETTER_WIDTH 8
#define NAME_COLUMNS 40

struct placed {
	size_t node;
	double weight;
};

static int compare_placed(const void *one, const void *other)
{
	const struct placed *a = one, *b = other;

	if (a->weight != b->weight)
		return a->weight < b->weight ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

/* Order the nodes of each level by the mean position of their needs, to reduce crossings. */
static bool graph_place(struct graph *graph, size_t *ret_tallest)
{
	cleanup_free struct placed *level = calloc(graph->n_nodes + 1, sizeof(*level));

	if (!level)
		return false;
	*ret_tallest = 0;
	for (size_t current = 0; current < graph->n_levels; current++) {
		size_t n = 0;

		for (size_t i = 0; i < graph->n_nodes; i++) {
			const struct graph_node *node = &graph->nodes[i];
			double sum = 0;

			if (node->level != current)
				continue;
			for (size_t j = 0; j < node->n_needs; j++)
				sum += (double)graph->nodes[node->needs[j]].position;
			level[n++] = (struct placed){
				.node = i,
				.weight = node->n_needs ? sum / (double)node->n_needs : 0};
		}
		qsort(level, n, sizeof(*level), compare_placed);
		for (size_t i = 0; i < n; i++)
			graph->nodes[level[i].node].position = i;
		if (n > *ret_tallest)
			*ret_tallest = n;
	}
	return true;
}

static void svg_text(struct text_buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			text_puts(out, "&lt;");
		else if (*text == '>')
			text_puts(out, "&gt;");
		else if (*text == '&')
			text_puts(out, "&amp;");
		else if (*text == '"')
			text_puts(out, "&quot;");
		else
			text_append(out, text, 1);
	}
}

struct svg_layout {
	size_t *left; /* x of each level's boxes; one more for the right edge */
	size_t *width;
	size_t height;
};

static size_t node_y(const struct graph_node *node)
{
	return MARGIN + node->position * (BOX_HEIGHT + ROW_GAP);
}

static void svg_node(struct text_buffer *out, const struct svg_layout *layout,
		     const struct graph_node *node)
{
	char escaped[512], name[256];
	size_t x = layout->left[node->level], y = node_y(node);

	text_escape(escaped, sizeof(escaped), node->name);
	text_cut(name, sizeof(name), escaped, NAME_COLUMNS, true);
	text_printf(out,
		    "<g><rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\" rx=\"6\" "
		    "fill=\"%s\" stroke=\"#555\"/><title>",
		    x, y, layout->width[node->level], BOX_HEIGHT, fill_color(node->state));
	svg_text(out, escaped);
	if (node->state)
		text_printf(out, ": %s", node->state);
	if (node->note)
		text_printf(out, " %s", node->note);
	text_printf(out, "</title><text x=\"%zu\" y=\"%zu\">", x + layout->width[node->level] / 2,
		    y + BOX_HEIGHT / 2 + 5);
	svg_text(out, name);
	text_puts(out, "</text></g>\n");
}

static void svg_edges(struct text_buffer *out, const struct graph *graph,
		      const struct svg_layout *layout)
{
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *to = &graph->nodes[i];

		for (size_t j = 0; j < to->n_needs; j++) {
			const struct graph_node *from = &graph->nodes[to->needs[j]];
			size_t x1 = layout->left[from->level] + layout->width[from->level];
			size_t x2 = layout->left[to->level];
			size_t y1 = node_y(from) + BOX_HEIGHT / 2, y2 = node_y(to) + BOX_HEIGHT / 2;
			size_t bend = LEVEL_GAP / 2;

			text_printf(out,
				    "<path d=\"M%zu %zuC%zu %zu %zu %zu %zu %zu\" fill=\"none\" "
				    "stroke=\"#888\" marker-end=\"url(#arrow)\"/>\n",
				    x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2);
		}
	}
}

static bool svg_measure(const struct graph *graph, struct svg_layout *layout, size_t tallest)
{
	layout->left = calloc(graph->n_levels + 1, sizeof(*layout->left));
	layout->width = calloc(graph->n_levels + 1, sizeof(*layout->width));
	if (!layout->left || !layout->width)
		return false;
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *node = &graph->nodes[i];
		size_t columns = text_width(node->name), width;

		width = (columns < NAME_COLUMNS ? columns : NAME_COLUMNS) * LETTER_WIDTH + 24;
		if (width > layout->width[node->level])
			layout->width[node->level] = width;
	}
	layout->left[0] = MARGIN;
	for (size_t level = 0; level < graph->n_levels; level++)
		layout->left[level + 1] = layout->left[level] + layout->width[level] + LEVEL_GAP;
	layout->height = 2 * MARGIN + tallest * (BOX_HEIGHT + ROW_GAP);
	return true;
}

void graph_svg(const struct graph *graph, struct text_buffer *out)
{
	struct svg_layout layout = {0};
	size_t tallest, width;

	if (!graph_place((struct graph *)graph, &tallest) ||
	    !svg_measure(graph, &layout, tallest)) {
		out->failed = true;
		goto out;
	}
	width = layout.left[graph->n_levels] + MARGIN;
	text_printf(out,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
		    "viewBox=\"0 0 %zu %zu\" font-family=\"sans-serif\" font-size=\"13\" "
		    "text-anchor=\"middle\">\n"
		    "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
		    "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
		    "<path d=\"M0 0L8 4L0 8z\" fill=\"#888\"/></marker></defs>\n",
		    width, layout.height, width, layout.height);
	svg_edges(out, graph, &layout);
	for (size_t i = 0; i < graph->n_nodes; i++)
		svg_node(out, &layout, &graph->nodes[i]);
	text_puts(out, "</svg>\n");
out:
	free(layout.left);
	free(layout.width);
}
