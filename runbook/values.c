/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/memory.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define SHELL_WORDS_MAX 16 /* the scheduler splits at blanks into an array of so many */

/* Reads one line of text for people, such as a name. */
int read_title(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	struct runbook_finding *finding;

	if (!check_line(draft, key, node, path))
		return 0;
	if (draft->matrix &&
	    placeholders_refuse(draft, node, path,
				"leave it out: names of instances end with their values"))
		return 0;
	if (node->text[0] == ' ' || node->text[node->length - 1] == ' ') {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" begins or ends with a space", key->name);
		finding_fix(finding, "remove the space");
		return 0;
	}
	return text_store(node, target);
}

int read_command(struct draft *draft, const struct schema_key *key, const struct node *node,
		 const struct node_path *path, void *target)
{
	/* "true" and "false" are commands, too: use them as written */
	if (node->kind == NODE_BOOL && islower((unsigned char)node->text[0]))
		return text_store(node, target);
	if (!check_text(draft, key, node, path))
		return 0;
	if (draft->matrix && placeholders_refuse(draft, node, path,
						 "in a command, values are variables: write $NAME"))
		return 0;
	return text_store(node, target);
}

static size_t words_count(const char *text)
{
	size_t n = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		text += strcspn(text, " ");
		n++;
	}
	return n;
}

int read_shell(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	struct runbook_finding *finding;

	if (!check_text(draft, key, node, path))
		return 0;
	if (!text_printable(node->text)) {
		finding = findings_add(draft->findings, node->place, path, "\"shell\" contains %s",
				       text_problem(node->text));
		finding_fix(finding, "write %s", key->format);
		return 0;
	}
	if (words_count(node->text) > SHELL_WORDS_MAX) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"shell\" has more than %d words", SHELL_WORDS_MAX);
		finding_fix(finding, "put the options into a script of the repository");
		return 0;
	}
	return text_store(node, target);
}

/*
 * "host" or the name of an image that was imported or pulled. Never a path of the host: a
 * repository must not select files of the host for its steps.
 */
static bool image_value_valid(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+";

	return isalnum((unsigned char)name[0]) && name[strspn(name, allowed)] == '\0' &&
	       !strstr(name, "..");
}

int read_image(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	cleanup_expanded struct expanded expanded = {.owned = NULL};
	struct runbook_finding *finding;
	int r = node_expand(draft, node, path, &expanded);

	if (r != 0)
		return r < 0 ? r : 0;
	node = &expanded.node;
	if (!check_text(draft, key, node, path))
		return 0;
	if (image_value_valid(node->text))
		return text_store(node, target);
	finding = findings_add(draft->findings, node->place, path,
			       "\"%s\" is not the name of an image", QUOTE(node->text));
	finding_fix(finding,
		    node->text[0] == '/'
			    ? "import the directory on the host, and write the image's name"
			    : "write host, or the name of an imported image");
	return 0;
}

int read_network(struct draft *draft, const struct schema_key *key, const struct node *node,
		 const struct node_path *path, void *target)
{
	static const char *const names[] = {
		[STEP_NETWORK_EGRESS] = "egress",
		[STEP_NETWORK_NONE] = "none",
		[STEP_NETWORK_ISOLATED] = "isolated",
	};
	static_assert(ARRAY_SIZE(names) == STEP_NETWORK_NUM, "every network has a name");
	struct runbook_step *step = container_of(target, struct runbook_step, network);

	if (node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), key->format, "one of them", node, path);
		return 0;
	}
	for (size_t i = 0; i < STEP_NETWORK_NUM; i++) {
		if (strcmp(node->text, names[i]) == 0) {
			step->network = (enum step_network)i;
			step->network_given = true;
			return 0;
		}
	}
	report_unknown_word(draft, "network", names, ARRAY_SIZE(names), key->format, node, path);
	return 0;
}

static int parse_count(const char *text, uint64_t *ret_count)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*ret_count = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	return errno ? -ERANGE : 0;
}

/* Reads a number with a unit; plain numbers of any kind are valid, e.g. 1.5 processors. */
static int measure_read(struct draft *draft, const struct schema_key *key, const struct node *node,
			const struct node_path *path, uint64_t *target, const char *what,
			int (*parse)(const char *text, uint64_t *ret_value))
{
	struct runbook_finding *finding;
	uint64_t value;
	int r;

	if (!node_is_scalar(node) || node->kind == NODE_NULL || node->kind == NODE_BOOL) {
		report_type(draft, SUBJECT(key), what, key->format, node, path);
		return 0;
	}
	r = parse(node->text, &value);
	if (r == -EINVAL) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" must be %s, but is \"%s\"", key->name, what,
				       QUOTE(node->text));
		finding_fix(finding, "write %s", key->format);
		return 0;
	}
	if (r < 0 || value < key->min || value > key->max) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" is out of range: %s", key->name, QUOTE(node->text));
		finding_fix(finding, "write a value from %s", key->range);
		return 0;
	}
	*target = value;
	return 0;
}

int read_duration(struct draft *draft, const struct schema_key *key, const struct node *node,
		  const struct node_path *path, void *target)
{
	return measure_read(draft, key, node, path, target, "a duration", parse_duration);
}

int read_size(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	return measure_read(draft, key, node, path, target, "a size", parse_size);
}

int read_cpus(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	return measure_read(draft, key, node, path, target, "a number of processors", parse_cpus);
}

int read_count(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	return measure_read(draft, key, node, path, target, "a whole number", parse_count);
}

/* ---- environment ---- */

static bool check_env_value(struct draft *draft, const struct node *name, const struct node *value,
			    const struct node_path *path)
{
	struct runbook_finding *finding;
	char subject[300];

	(void)snprintf(subject, sizeof(subject), "the variable \"%s\"", QUOTE(name->text));
	if (value->kind != NODE_TEXT) {
		report_type(draft, subject, "text",
			    value->kind == NODE_NULL ? "\"\" for an empty value"
						     : "one text in quotes",
			    value, path);
		return false;
	}
	if (name->length + value->length < STEP_ARGUMENT_MAX)
		return true;
	finding = findings_add(draft->findings, value->place, path,
			       "%s has %zu bytes, more than 120 KiB", subject, value->length);
	finding_fix(finding, "put the value into a file of the repository");
	return false;
}

/* Reports a variable of the step that the matrix sets, too. */
static bool check_env_clash(struct draft *draft, const struct node *name,
			    const struct node_path *path)
{
	struct runbook_finding *finding;

	if (!draft->matrix || matrix_name_find(draft->matrix, name->text, name->length) < 0)
		return true;
	finding = findings_add(draft->findings, name->place, path,
			       "\"%s\" is a name of the matrix, too", QUOTE(name->text));
	finding_fix(finding, "remove it here: the matrix sets the variable");
	return false;
}

static int variable_read(struct draft *draft, const struct node *name, const struct node *value,
			 const struct node_path *path, struct runbook_step *step)
{
	cleanup_expanded struct expanded expanded = {.owned = NULL};
	struct runbook_env *env = &step->env[step->n_env];
	bool name_fits = check_env_name(draft, name, path) && check_env_clash(draft, name, path);
	int r = node_expand(draft, value, path, &expanded);

	if (r != 0)
		return r < 0 ? r : 0;
	value = &expanded.node;
	if (!check_env_value(draft, name, value, path) || !name_fits)
		return 0;
	step->n_env++;
	env->name = strdup(name->text);
	env->value = strdup(value->text);
	return env->name && env->value ? 0 : -ENOMEM;
}

/* @target is a struct runbook_env *, which a counter follows, as env and n_env of runbook_step. */
int read_env(struct draft *draft, const struct schema_key *key, const struct node *node,
	     const struct node_path *path, void *target)
{
	struct runbook_step *step = container_of(target, struct runbook_step, env);
	size_t n = node->n_items / 2;
	struct runbook_finding *finding;

	if (node->kind != NODE_MAP) {
		report_type(draft, SUBJECT(key), "a map", key->format, node, path);
		return 0;
	}
	if (n > RUNBOOK_ENV_MAX) {
		finding = findings_add(draft->findings, node->place, path,
				       "%zu variables, more than 1000", n);
		finding_fix(finding, "put the values into a file that the command reads");
		return 0;
	}
	if (n == 0)
		return 0;
	step->env = calloc(n, sizeof(*step->env));
	if (!step->env)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct node *name = node->items[2 * i], *value = node->items[2 * i + 1];
		struct node_path value_path = {.parent = path, .key = name->text};
		int r = variable_read(draft, name, value, &value_path, step);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Copies the names of a list with the values of the matrix in place of placeholders. */
static int dependencies_expand(struct draft *draft, const struct node *list,
			       const struct node_path *path)
{
	struct step_source *source = &draft->sources[draft->current_step];
	int wrong = 0;

	source->dependencies = calloc(list->n_items + 1, sizeof(*source->dependencies));
	if (!source->dependencies)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_items; i++) {
		cleanup_expanded struct expanded expanded = {.owned = NULL};
		struct node_path entry = {.parent = path, .index = i};
		int r = node_expand(draft, list->items[i], &entry, &expanded);

		if (r < 0)
			return r;
		wrong |= r;
		if (r > 0)
			continue;
		source->dependencies[i] = strdup(expanded.node.text);
		if (!source->dependencies[i])
			return -ENOMEM;
		draft->text_bytes += expanded.node.length + MATRIX_ENTRY_OVERHEAD;
	}
	if (wrong) { /* reported: do not look the names up as well */
		texts_done(source->dependencies, list->n_items);
		source->dependencies = NULL;
		source->depends_on = NULL;
	}
	return 0;
}

/* Checks only the form; graph.c resolves the names. */
int read_depends_on(struct draft *draft, const struct schema_key *key, const struct node *node,
		    const struct node_path *path, void *target)
{
	bool fits = node->kind == NODE_LIST, expands = false;

	(void)target;
	if (node->kind == NODE_TEXT) {
		struct runbook_finding *finding =
			findings_add(draft->findings, node->place, path,
				     "\"depends_on\" must be a list, but is text");

		finding_fix(finding, "write depends_on: [%s]", QUOTE(node->text));
		return 0;
	}
	if (!fits) {
		report_type(draft, SUBJECT(key), "a list", key->format, node, path);
		return 0;
	}
	/* each name makes at least one edge, so count before resolving them */
	draft->n_dependencies += node->n_items;
	if (draft->n_dependencies > RUNBOOK_EDGES_MAX) {
		report_edges(draft, node, path);
		return 0;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path entry = {.parent = path, .index = i};

		if (node->items[i]->kind == NODE_TEXT) {
			expands |= strstr(node->items[i]->text, "{{") != NULL;
			continue;
		}
		report_type(draft, "the name of a step", "text", "the name of a step",
			    node->items[i], &entry);
		fits = false;
	}
	if (!fits)
		return 0;
	draft->sources[draft->current_step].depends_on = node;
	return draft->matrix && expands ? dependencies_expand(draft, node, path) : 0;
}
