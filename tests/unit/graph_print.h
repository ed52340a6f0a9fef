/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_GRAPH_PRINT_H
#define TESTS_UNIT_GRAPH_PRINT_H

/*
 * The graph of a parsed runbook as the golden files have it: in Graphviz's language, and
 * as plain text by levels. What people get is made by cli/graph.c, also for runs.
 */

#include "common/cleanup.h"
#include "runbook/memory.h"
#include "runbook/runbook.h"
#include "runbook/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void dot_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* A step; the instances of a matrix stand in a box with its name. */
static inline void dot_node(FILE *out, const struct runbook *runbook, size_t index)
{
	const struct runbook_step *step = &runbook->steps[index];
	const struct runbook_matrix *matrix =
		step->matrix == SIZE_MAX ? NULL : &runbook->matrices[step->matrix];

	if (matrix && matrix->first == index) {
		fprintf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=", step->matrix);
		dot_string(out, matrix->name);
		fputs(";\n", out);
	}
	fputs(matrix ? "\t\t" : "\t", out);
	dot_string(out, step->name);
	fputs(";\n", out);
	if (matrix && index + 1 == matrix->first + matrix->n_steps)
		fputs("\t}\n", out);
}

static inline void dot_write(FILE *out, const struct runbook *runbook)
{
	fputs("digraph runbook {\n\trankdir=LR;\n\tnode [shape=box, style=rounded];\n", out);
	if (runbook->name) {
		fputs("\tlabel=", out);
		dot_string(out, runbook->name);
		fputs(";\n", out);
	}
	for (size_t i = 0; i < runbook->n_steps; i++)
		dot_node(out, runbook, i);
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[i];

		for (size_t j = 0; j < step->n_depends_on; j++) {
			fputc('\t', out);
			dot_string(out, runbook->steps[step->depends_on[j]].name);
			fputs(" -> ", out);
			dot_string(out, step->name);
			fputs(";\n", out);
		}
	}
	fputs("}\n", out);
}

/* Level of each step: one more than the deepest of its dependencies. NULL: no memory. */
static inline size_t *levels_of(const struct runbook *runbook, size_t *ret_n_levels)
{
	size_t *levels = calloc(runbook->n_steps + 1, sizeof(*levels)), n_levels = 0;

	if (!levels)
		return NULL;
	for (size_t i = 0; i < runbook->n_steps; i++) {
		size_t index = runbook->order[i];
		const struct runbook_step *step = &runbook->steps[index];

		for (size_t j = 0; j < step->n_depends_on; j++) {
			if (levels[index] < levels[step->depends_on[j]] + 1)
				levels[index] = levels[step->depends_on[j]] + 1;
		}
		if (n_levels < levels[index] + 1)
			n_levels = levels[index] + 1;
	}
	*ret_n_levels = n_levels;
	return levels;
}

/* Step indexes sorted by level, in the file's order within one: counting sort. */
static inline size_t *by_level(const struct runbook *runbook, const size_t *levels, size_t n_levels)
{
	cleanup_free size_t *next = calloc(n_levels + 1, sizeof(*next));
	size_t *sorted = calloc(runbook->n_steps + 1, sizeof(*sorted));

	if (!next || !sorted) {
		free(sorted);
		return NULL;
	}
	for (size_t i = 0; i < runbook->n_steps; i++)
		next[levels[i] + 1]++;
	for (size_t i = 0; i < n_levels; i++)
		next[i + 1] += next[i];
	for (size_t i = 0; i < runbook->n_steps; i++)
		sorted[next[levels[i]]++] = i;
	return sorted;
}

/* Columns on a screen, near enough: characters */
static inline int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Does a list of steps begin with all instances of a matrix? NULL: it does not. */
static inline const struct runbook_matrix *runbook_whole_matrix(const struct runbook *runbook,
								const size_t *list, size_t n)
{
	size_t index = n ? runbook->steps[list[0]].matrix : SIZE_MAX;
	const struct runbook_matrix *matrix;

	if (index == SIZE_MAX)
		return NULL;
	matrix = &runbook->matrices[index];
	for (size_t i = 0; i < matrix->n_steps; i++) {
		if (i == n || list[i] != matrix->first + i)
			return NULL;
	}
	return matrix;
}

/* All instances of a matrix are named by its name and their number. */
static inline void text_dependencies(FILE *out, const struct runbook *runbook,
				     const struct runbook_step *step)
{
	for (size_t j = 0; j < step->n_depends_on;) {
		const struct runbook_matrix *matrix =
			runbook_whole_matrix(runbook, step->depends_on + j, step->n_depends_on - j);

		fputs(j ? ", " : "", out);
		if (matrix) {
			fprintf(out, "%s (%zu)", matrix->name, matrix->n_steps);
			j += matrix->n_steps;
		} else {
			fputs(runbook->steps[step->depends_on[j]].name, out);
			j++;
		}
	}
}

static inline void text_write(FILE *out, const struct runbook *runbook, const size_t *levels,
			      const size_t *sorted)
{
	int widest = 0;

	for (size_t i = 0; i < runbook->n_steps; i++) {
		int width = text_width(runbook->steps[i].name);

		if (runbook->steps[i].n_depends_on && width > widest)
			widest = width;
	}
	if (widest > 40)
		widest = 40;
	if (runbook->name)
		fprintf(out, "%s\n", runbook->name);
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[sorted[i]];
		int pad = widest - text_width(step->name);

		if (i == 0 || levels[sorted[i]] != levels[sorted[i - 1]])
			fprintf(out, "level %zu\n", levels[sorted[i]] + 1);
		fprintf(out, "  %s", step->name);
		if (step->n_depends_on > 0)
			fprintf(out, "%*s  <- ", pad > 0 ? pad : 0, "");
		text_dependencies(out, runbook, step);
		fputc('\n', out);
	}
}

/* malloc'ed; NULL without memory */
static inline char *runbook_graph_dot(const struct runbook *runbook)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	dot_write(out, runbook);
	return stream_finish(out, &text);
}

/* One step a line with its dependencies; malloc'ed, NULL without memory */
static inline char *runbook_graph_text(const struct runbook *runbook)
{
	size_t n_levels = 0, size;
	cleanup_free size_t *levels = levels_of(runbook, &n_levels);
	cleanup_free size_t *sorted = levels ? by_level(runbook, levels, n_levels) : NULL;
	char *text = NULL;
	FILE *out;

	if (!sorted)
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	text_write(out, runbook, levels, sorted);
	return stream_finish(out, &text);
}

#endif
