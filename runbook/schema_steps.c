/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/memory.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * DOC: The list of steps
 *
 * A step with a matrix is read once for each combination, with the combination's values in
 * place of its placeholders, so that every check sees the final text. Equal findings at the
 * same place are kept once.
 */

/* ---- reading ---- */

/* Adds one step, zeroed. Return: NULL if out of memory. */
static struct runbook_step *step_add(struct draft *draft, size_t item)
{
	struct runbook *runbook = draft->runbook;

	if (runbook->n_steps == draft->n_room) {
		size_t n_room = draft->n_room ? 2 * draft->n_room : 16;
		struct runbook_step *steps =
			reallocarray(runbook->steps, n_room, sizeof(*runbook->steps));
		struct step_source *sources;

		if (!steps)
			return NULL;
		runbook->steps = steps;
		sources = reallocarray(draft->sources, n_room, sizeof(*draft->sources));
		if (!sources)
			return NULL;
		draft->sources = sources;
		draft->n_room = n_room;
	}
	draft->current_step = runbook->n_steps;
	runbook->steps[runbook->n_steps] = (struct runbook_step){.matrix = SIZE_MAX};
	draft->sources[runbook->n_steps] = (struct step_source){.item = item};
	return &runbook->steps[runbook->n_steps++];
}

static int step_read(struct draft *draft, size_t item, const struct node *node,
		     const struct node_path *path)
{
	struct runbook_step *step = step_add(draft, item);
	struct step_source *source;

	if (!step)
		return -ENOMEM;
	source = &draft->sources[draft->current_step];
	source->name = node_get(node, "name");
	source->interruptible_given = node_get(node, "interruptible") != NULL;
	step->place = node->place;
	return schema_read_map(draft, SCOPE_STEP, node, path, step);
}

/* Puts the values of the combination before the step's own variables. */
static int instance_add_env(struct runbook_step *step, const struct matrix *matrix,
			    size_t combination)
{
	struct runbook_env *env = calloc(matrix->n_names + step->n_env + 1, sizeof(*env));
	size_t n = 0;

	if (!env)
		return -ENOMEM;
	for (size_t i = 0; i < matrix->n_names; i++) {
		const char *value = matrix_value(matrix, combination, i);

		if (!value)
			continue;
		env[n].name = strdup(matrix->names[i]->text);
		env[n].value = strdup(value);
		n++;
		if (!env[n - 1].name || !env[n - 1].value) {
			env_done(env, n);
			return -ENOMEM;
		}
	}
	if (step->n_env > 0)
		memcpy(env + n, step->env, step->n_env * sizeof(*env));
	free(step->env);
	step->env = env;
	step->n_env += n;
	return 0;
}

/* Renames an instance from "NAME" to "NAME (a=1, b=2)". */
static int instance_rename(struct draft *draft, struct runbook_step *step,
			   const struct matrix *matrix, size_t combination,
			   const struct node_path *path)
{
	struct step_source *source = &draft->sources[draft->current_step];
	struct node_path name_path = {.parent = path, .key = "name"};
	struct runbook_finding *finding;
	char *name;

	if (!step->name)
		return 0;
	name = matrix_instance_name(matrix, combination, step->name);
	if (!name)
		return -ENOMEM;
	free(step->name);
	step->name = name;
	if (strlen(name) <= STEP_NAME_MAX)
		return 0;
	finding = findings_add(draft->findings, source->name->place, &name_path,
			       "with the values of the matrix, the name has more than 200 bytes: "
			       "\"%s\"",
			       QUOTE(name));
	finding_fix(finding, "shorten the name, the names of the axes or their values");
	return 0;
}

static size_t step_bytes(const struct runbook_step *step)
{
	return env_bytes(step->env, step->n_env) + (step->command ? strlen(step->command) : 0);
}

static size_t list_memory(char *const *items, size_t n)
{
	size_t bytes = n * MATRIX_ENTRY_OVERHEAD;

	for (size_t i = 0; i < n; i++)
		bytes += strlen(items[i]);
	return bytes;
}

/* Bytes of an instance, which a short matrix can multiply */
static size_t step_memory(const struct runbook_step *step)
{
	return step_bytes(step) + step->n_env * MATRIX_ENTRY_OVERHEAD +
	       list_memory(step->when.branches.items, step->when.branches.n_items) +
	       list_memory(step->when.paths.items, step->when.paths.n_items) +
	       list_memory(step->labels, step->n_labels);
}

/* Do all instances so far have too much text for one runbook? Reports it if so. */
static bool text_exceeded(struct draft *draft, const struct matrix *matrix,
			  const struct node_path *path)
{
	struct node_path matrix_path = {.parent = path, .key = "matrix"};
	struct runbook_finding *finding;

	if (draft->text_bytes <= MATRIX_TEXT_MAX)
		return false;
	finding = findings_add(draft->findings, matrix->place, &matrix_path,
			       "the instances have more than 16 MiB of commands, variables and "
			       "patterns");
	finding_fix(finding, "put the script into a file of the repository and run that");
	return true;
}

static int instance_read(struct draft *draft, size_t item, const struct node *node,
			 const struct node_path *path, const struct matrix *matrix,
			 size_t combination)
{
	struct runbook_step *step;
	int r;

	draft->matrix = matrix;
	draft->combination = combination;
	r = step_read(draft, item, node, path);
	draft->matrix = NULL;
	if (r < 0)
		return r;
	step = &draft->runbook->steps[draft->current_step];
	step->matrix = draft->runbook->n_matrices - 1;
	r = instance_add_env(step, matrix, combination);
	if (r < 0)
		return r;
	draft->text_bytes += step_memory(step);
	return instance_rename(draft, step, matrix, combination, path);
}

static struct runbook_matrix *matrix_add(struct runbook *runbook)
{
	struct runbook_matrix *matrices = reallocarray(runbook->matrices, runbook->n_matrices + 1,
						       sizeof(*runbook->matrices));

	if (!matrices)
		return NULL;
	runbook->matrices = matrices;
	matrices[runbook->n_matrices] = (struct runbook_matrix){.first = runbook->n_steps};
	return &matrices[runbook->n_matrices++];
}

/* Adds a step with only its name, so that steps which depend on it get no finding for that. */
static int instance_skip(struct draft *draft, size_t item, const struct node *node,
			 const struct node_path *path, const struct matrix *matrix,
			 size_t combination)
{
	const char *base = draft->runbook->matrices[draft->runbook->n_matrices - 1].name;
	struct runbook_step *step = step_add(draft, item);

	if (!step)
		return -ENOMEM;
	step->place = node->place;
	step->matrix = draft->runbook->n_matrices - 1;
	draft->sources[draft->current_step].name = node_get(node, "name");
	if (!base)
		return 0;
	step->name = strdup(base);
	return step->name ? instance_rename(draft, step, matrix, combination, path) : -ENOMEM;
}

/* Adds a step for each combination; after one with findings the others would only repeat them. */
static int instances_read(struct draft *draft, size_t item, const struct node *node,
			  const struct node_path *path, const struct matrix *matrix)
{
	struct runbook_matrix *group = matrix_add(draft->runbook);
	const struct node *name = node_get(node, "name");
	size_t n_before = draft->findings->n_reported;

	if (!group)
		return -ENOMEM;
	group->limit = matrix->limit;
	group->fail_fast = matrix->fail_fast;
	if (name && name->kind == NODE_TEXT) {
		group->name = strdup(name->text);
		if (!group->name)
			return -ENOMEM;
	}
	for (size_t i = 0; i < matrix->n_combinations; i++) {
		bool skip = text_exceeded(draft, matrix, path) ||
			    draft->findings->n_reported > n_before;
		int r = (skip ? instance_skip : instance_read)(draft, item, node, path, matrix, i);

		if (r < 0)
			return r;
		group->n_steps++;
	}
	return 0;
}

/* Reads an entry of "steps", which is one step or all instances of a matrix. */
static int item_read(struct draft *draft, size_t item, const struct node *node,
		     const struct node_path *path)
{
	cleanup_matrix struct matrix matrix = {0};
	const struct node *matrix_node = node_get(node, "matrix");
	struct node_path matrix_path = {.parent = path, .key = "matrix"};
	struct runbook_step *step;
	int r;

	if (node->kind != NODE_MAP) {
		step = step_add(draft, item);
		if (!step)
			return -ENOMEM;
		step->place = node->place;
		report_type(draft, "a step", "a map", "a map with name and command", node, path);
		return 0;
	}
	if (!matrix_node)
		return step_read(draft, item, node, path);
	r = matrix_read(draft, matrix_node, &matrix_path, &matrix);
	if (r < 0)
		return r;
	if (matrix.n_combinations > 0)
		return instances_read(draft, item, node, path, &matrix);
	/* the matrix is reported as invalid; read the step for other findings */
	draft->matrix = &matrix;
	r = step_read(draft, item, node, path);
	draft->matrix = NULL;
	return r;
}

static void report_steps(struct draft *draft, const struct schema_key *key, const struct node *node,
			 const struct node_path *path, const char *what)
{
	struct runbook_finding *finding =
		findings_add(draft->findings, node->place, path, "%s", what);

	finding_fix(finding, "write %s steps", key->range);
}

int read_steps(struct draft *draft, const struct schema_key *key, const struct node *node,
	       const struct node_path *path, void *target)
{
	(void)target;
	if (node->kind != NODE_LIST) {
		report_type(draft, "\"steps\"", "a list", "a list: a line with \"-\" begins a step",
			    node, path);
		return 0;
	}
	if (node->n_items == 0 || node->n_items > RUNBOOK_STEPS_MAX) {
		report_steps(draft, key, node, path,
			     node->n_items ? "more than 10000 steps" : "no steps");
		return 0;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path step_path = {.parent = path, .index = i};
		int r = item_read(draft, i, node->items[i], &step_path);

		if (r < 0)
			return r;
		if (draft->runbook->n_steps > RUNBOOK_STEPS_MAX) {
			report_steps(draft, key, node->items[i], &step_path,
				     "with the instances of matrices, more than 10000 steps");
			return 0;
		}
	}
	return 0;
}

/* ---- effective values ---- */

static int copy_text(char **target, const char *text)
{
	if (*target || !text)
		return 0;
	*target = strdup(text);
	return *target ? 0 : -ENOMEM;
}

static int copy_labels(struct runbook_step *step, const struct runbook_step *global)
{
	if (step->labels || global->n_labels == 0)
		return 0;
	step->labels = calloc(global->n_labels, sizeof(*step->labels));
	if (!step->labels)
		return -ENOMEM;
	for (; step->n_labels < global->n_labels; step->n_labels++) {
		if (copy_text(&step->labels[step->n_labels], global->labels[step->n_labels]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void merge_resources(const struct draft *draft, struct runbook_resources *step,
			    const struct runbook_resources *global)
{
	const struct schema_key *keys = draft->keys;

	for (size_t i = 0; i < draft->n_keys; i++) {
		uint64_t *field = (uint64_t *)(void *)((char *)step + keys[i].offset);

		if ((keys[i].scopes & (SCOPE_RESOURCES | SCOPE_IO)) && keys[i].read && *field == 0)
			*field = *(const uint64_t *)(const void *)((const char *)global +
								   keys[i].offset);
	}
}

static int step_merge(const struct draft *draft, struct runbook_step *step,
		      const struct step_source *source, const struct runbook_step *global)
{
	if (copy_text(&step->image, global->image ? global->image : "host") < 0 ||
	    copy_text(&step->shell, global->shell) < 0 ||
	    copy_text(&step->user, global->user) < 0 ||
	    copy_text(&step->workdir, global->workdir) < 0 || copy_labels(step, global) < 0)
		return -ENOMEM;
	if (!step->network_given) {
		step->network = global->network;
		step->network_given = global->network_given;
	}
	if (step->timeout_sec == 0)
		step->timeout_sec = global->timeout_sec;
	if (step->attempts == 0)
		step->attempts = global->attempts ? global->attempts : 1;
	if (!source->interruptible_given)
		step->interruptible = global->interruptible;
	if (step->when.statuses == 0)
		step->when.statuses = RUNBOOK_WHEN_SUCCESS;
	merge_resources(draft, &step->resources, &global->resources);
	return 0;
}

int steps_merge_defaults(struct draft *draft)
{
	for (size_t i = 0; i < draft->runbook->n_steps; i++) {
		int r = step_merge(draft, &draft->runbook->steps[i], &draft->sources[i],
				   &draft->defaults);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Refuses here, where the place is known, what execve(2) would refuse later. */
void steps_check_totals(struct draft *draft)
{
	static const struct node_path steps_path = {.key = "steps"};
	const struct runbook *runbook = draft->runbook;
	size_t common = env_bytes(runbook->env, runbook->n_env);

	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[i];
		struct node_path path = {.parent = &steps_path, .index = draft->sources[i].item};
		size_t bytes = common + step_bytes(step);
		struct runbook_finding *finding;

		if (bytes <= STEP_TEXT_MAX)
			continue;
		finding = findings_add(
			draft->findings, step->place, &path,
			"command and variables have %zu bytes together, more than 1 MiB", bytes);
		finding_fix(finding, "put values into files of the repository");
	}
}
