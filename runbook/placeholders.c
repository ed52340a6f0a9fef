/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/memory.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * {{ matrix.NAME }} in texts of a step, {{ ref }} and the like in the name of a concurrency
 * group. Commands are never changed: they get values as environment variables, so that no value
 * can become code.
 */

/** struct placeholder - "{{ … }}" in a text */
struct placeholder {
	const char *start, *end; /* with its braces */
	const char *word;	 /* its content, without blanks */
	size_t length;
	bool closed;
	bool dollar; /* "${{ … }}", the notation of another CI system */
};

/* Finds the first placeholder at or after @text. Return: whether there is one. */
static bool placeholder_find(const char *text, const char *begin, struct placeholder *ret)
{
	const char *start = strstr(text, "{{"), *close;

	if (!start)
		return false;
	close = strstr(start, "}}");
	ret->start = start;
	ret->dollar = start > begin && start[-1] == '$';
	ret->closed = close != NULL;
	ret->word = start + 2 + strspn(start + 2, " \t");
	ret->end = close ? close + 2 : start + strlen(start);
	ret->length = close && close > ret->word ? (size_t)(close - ret->word) : strlen(ret->word);
	if (close && close <= ret->word)
		ret->length = 0;
	while (ret->length > 0 && strchr(" \t", ret->word[ret->length - 1]))
		ret->length--;
	return true;
}

#define MATRIX_PREFIX "matrix."

static bool is_of_matrix(const struct placeholder *placeholder)
{
	return placeholder->length >= strlen(MATRIX_PREFIX) &&
	       strncmp(placeholder->word, MATRIX_PREFIX, strlen(MATRIX_PREFIX)) == 0;
}

/** struct excerpt - a placeholder for a message */
struct excerpt {
	char text[64];
};

static struct excerpt excerpt_of(const struct placeholder *placeholder)
{
	struct excerpt excerpt;
	size_t length = (size_t)(placeholder->end - placeholder->start);

	(void)snprintf(excerpt.text, sizeof(excerpt.text), "%.*s", (int)(length < 60 ? length : 60),
		       placeholder->start);
	return excerpt;
}

/* Can the placeholder be replaced? Reports it if not. */
static bool check_placeholder(struct draft *draft, const struct node *node,
			      const struct node_path *path, const struct placeholder *placeholder)
{
	const struct matrix *matrix = draft->matrix;
	struct excerpt excerpt = excerpt_of(placeholder);
	const char *name = placeholder->word + strlen(MATRIX_PREFIX);
	struct runbook_finding *finding;
	struct nearest nearest;
	char wanted[64];

	if (!placeholder->closed || placeholder->dollar) {
		finding = findings_add(draft->findings, node->place, path,
				       placeholder->dollar ? "\"$%s\" is not replaced"
							   : "\"%s\" has no \"}}\"",
				       QUOTE(excerpt.text));
		if (placeholder->dollar && !is_of_matrix(placeholder))
			finding_fix(finding, "leave it out: secrets and facts about the run are "
					     "variables of the environment");
		else
			finding_fix(finding, "write {{ matrix.NAME }}%s",
				    placeholder->dollar ? " without the \"$\"" : "");
		return false;
	}
	if (!matrix) {
		finding =
			findings_add(draft->findings, node->place, path,
				     "\"%s\" stands in no step with a matrix", QUOTE(excerpt.text));
		finding_fix(finding, "give the step a matrix, or write a value");
		return false;
	}
	if (matrix_name_find(matrix, name, placeholder->length - strlen(MATRIX_PREFIX)) >= 0)
		return true;
	(void)snprintf(wanted, sizeof(wanted), "%.*s",
		       (int)(placeholder->length - strlen(MATRIX_PREFIX)), name);
	finding = findings_add(draft->findings, node->place, path, "the matrix has no \"%s\"",
			       QUOTE(wanted));
	nearest = nearest_start(wanted);
	for (size_t i = 0; finding && i < matrix->n_names; i++)
		nearest_offer(&nearest, matrix->names[i]->text);
	if (nearest.best)
		finding_fix(finding, "did you mean {{ matrix.%s }}?", QUOTE(nearest.best));
	else
		finding_fix(finding, "write {{ matrix.NAME }} with the name of an axis");
	return false;
}

/* The value of a placeholder; "" if the combination has none */
static const char *value_of(const struct draft *draft, const struct placeholder *placeholder)
{
	const char *name = placeholder->word + strlen(MATRIX_PREFIX);
	int index =
		matrix_name_find(draft->matrix, name, placeholder->length - strlen(MATRIX_PREFIX));
	const char *value = matrix_value(draft->matrix, draft->combination, (size_t)index);

	return value ? value : "";
}

/* Return: 0, 1 after a report, -ENOMEM. */
static int text_expand(struct draft *draft, const struct node *node, const struct node_path *path,
		       char **ret_text, size_t *ret_length)
{
	char *text = NULL;
	const char *rest = node->text;
	struct placeholder placeholder;
	FILE *out = open_memstream(&text, ret_length);
	int r = 0;

	if (!out)
		return -ENOMEM;
	for (; placeholder_find(rest, node->text, &placeholder); rest = placeholder.end) {
		bool ours = is_of_matrix(&placeholder);

		if ((ours || placeholder.dollar) &&
		    !check_placeholder(draft, node, path, &placeholder))
			r = 1;
		if (r == 0 && ours && draft->matrix->n_combinations == 0)
			r = 1; /* the matrix itself is invalid, which has been reported */
		if (r != 0)
			break;
		fwrite(rest, 1, (size_t)(placeholder.start - rest), out);
		if (ours)
			fputs(value_of(draft, &placeholder), out);
		else
			fwrite(placeholder.start, 1, (size_t)(placeholder.end - placeholder.start),
			       out);
	}
	fputs(rest, out);
	if (!stream_finish(out, &text))
		return -ENOMEM;
	*ret_text = text;
	return r;
}

int node_expand(struct draft *draft, const struct node *node, const struct node_path *path,
		struct expanded *ret)
{
	int r;

	ret->node = *node;
	ret->owned = NULL;
	if (node->kind != NODE_TEXT || !strstr(node->text, "{{"))
		return 0;
	r = text_expand(draft, node, path, &ret->owned, &ret->node.length);
	ret->node.text = ret->owned;
	return r;
}

void expanded_done(struct expanded *expanded)
{
	free(expanded->owned);
}

bool placeholders_refuse(struct draft *draft, const struct node *node, const struct node_path *path,
			 const char *fix)
{
	struct placeholder placeholder;

	if (node->kind != NODE_TEXT)
		return false;
	for (const char *rest = node->text; placeholder_find(rest, node->text, &placeholder);
	     rest = placeholder.end) {
		struct excerpt excerpt = excerpt_of(&placeholder);
		struct runbook_finding *finding;

		if (!is_of_matrix(&placeholder))
			continue;
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" is not replaced here", QUOTE(excerpt.text));
		finding_fix(finding, "%s", fix);
		return true;
	}
	return false;
}

bool placeholders_check(struct draft *draft, const struct node *node, const struct node_path *path)
{
	static const char *const words[] = {"ref", "branch", "event"};
	struct placeholder placeholder;

	for (const char *rest = node->text; placeholder_find(rest, node->text, &placeholder);
	     rest = placeholder.end) {
		struct excerpt excerpt = excerpt_of(&placeholder);
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			known |= placeholder.length == strlen(words[i]) &&
				 strncmp(placeholder.word, words[i], placeholder.length) == 0;
		if (known && placeholder.closed && !placeholder.dollar)
			continue;
		finding_fix(findings_add(draft->findings, node->place, path,
					 "\"%s%s\" is not known here",
					 placeholder.dollar ? "$" : "", QUOTE(excerpt.text)),
			    "write {{ ref }}, {{ branch }} or {{ event }}");
		return false;
	}
	return true;
}
