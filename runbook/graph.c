/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/name_index.h"
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * DOC: From names to a graph
 *
 * Names are looked up in a hash table, and Kahn's algorithm orders the steps. Steps that it
 * does not reach are on circles or depend on them; a walk along dependencies then finds one
 * circle for each strongly connected group. All of this is linear in steps and dependencies.
 *
 * The name of a step with a matrix stands for all of its instances. Its value in the table is
 * the number of steps plus the index of the matrix.
 */

#define NAMES_COMPARED_MAX 100000

static void cleanup_index_fn(struct name_index *index)
{
	name_index_done(index);
}
#define cleanup_index __attribute__((cleanup(cleanup_index_fn)))

/** struct range - the adjacent steps that a name stands for */
struct range {
	size_t from, to;
};

static struct range range_of(const struct runbook *runbook, size_t value)
{
	const struct runbook_matrix *matrix;

	if (value < runbook->n_steps)
		return (struct range){value, value + 1};
	matrix = &runbook->matrices[value - runbook->n_steps];
	return (struct range){matrix->first, matrix->first + matrix->n_steps};
}

/* The matrix whose first instance @step is, or NULL */
static const struct runbook_matrix *matrix_begun(const struct runbook *runbook, size_t step)
{
	size_t matrix = runbook->steps[step].matrix;

	if (matrix == SIZE_MAX || runbook->matrices[matrix].first != step)
		return NULL;
	return &runbook->matrices[matrix];
}

/* ---- names ---- */

static int name_add(struct draft *draft, struct name_index *names, const char *name, size_t step,
		    size_t value)
{
	struct node_path steps = {.key = "steps"};
	struct node_path parent = {.parent = &steps, .index = draft->sources[step].item};
	struct node_path path = {.parent = &parent, .key = "name"};
	const struct name_entry *first = name_index_get(names, name);
	struct runbook_finding *finding;

	if (!first)
		return name_index_put(names, name, value);
	finding = findings_add(draft->findings, draft->sources[step].name->place, &path,
			       "two steps are named \"%s\"", QUOTE(name));
	finding_fix(finding, "give one of them another name; the first is on line %u",
		    draft->sources[range_of(draft->runbook, first->value).from].name->place.line);
	return 0;
}

static int names_index(struct draft *draft, struct name_index *names)
{
	const struct runbook *runbook = draft->runbook;

	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_matrix *matrix = matrix_begun(runbook, i);
		const char *name = runbook->steps[i].name;

		if (name && name_add(draft, names, name, i, i) < 0)
			return -ENOMEM;
		if (name && matrix && matrix->name &&
		    name_add(draft, names, matrix->name, i,
			     runbook->n_steps + runbook->steps[i].matrix) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void report_unknown_step(struct draft *draft, const struct node *name,
				const struct node_path *path)
{
	const struct runbook *runbook = draft->runbook;
	struct nearest nearest = nearest_start(name->text);
	struct runbook_finding *finding;

	finding = findings_add(draft->findings, name->place, path, "there is no step \"%s\"",
			       QUOTE(name->text));
	if (!finding) /* the list is full: skip the search */
		return;
	/* a hostile file with many near misses must not cost seconds of searching */
	if (draft->n_compared > NAMES_COMPARED_MAX) {
		finding_fix(finding, "name a step of this file");
		return;
	}
	draft->n_compared += runbook->n_steps;
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_matrix *matrix = matrix_begun(runbook, i);

		if (matrix && matrix->name)
			nearest_offer(&nearest, matrix->name);
		if (runbook->steps[i].name)
			nearest_offer(&nearest, runbook->steps[i].name);
	}
	if (nearest.best)
		finding_fix(finding, "did you mean \"%s\"?", QUOTE(nearest.best));
	else
		finding_fix(finding, "name a step of this file, or remove it");
}

/* ---- edges ---- */

/* Name number @i of a step's list, with the values of its matrix inserted */
static const char *dependency_text(const struct step_source *source, size_t i)
{
	return source->dependencies ? source->dependencies[i] : source->depends_on->items[i]->text;
}

/** struct resolver - state of turning names into edges */
struct resolver {
	struct draft *draft;
	struct name_index *names;
	/* for each step the last one that named it (index + 1), to find repetitions */
	size_t *seen_by;
	size_t n_edges;
};

/*
 * Adds the edges of one entry of depends_on; @step->depends_on has room.
 * @report: false for all but the first of instances that have the same list
 */
static void entry_resolve(struct resolver *resolver, size_t index, const struct node *name,
			  const struct node_path *path, bool report)
{
	struct runbook *runbook = resolver->draft->runbook;
	struct runbook_step *step = &runbook->steps[index];
	const struct name_entry *entry = name_index_get(resolver->names, name->text);
	struct runbook_finding *finding;
	struct range range;

	if (!entry) {
		if (report)
			report_unknown_step(resolver->draft, name, path);
		return;
	}
	range = range_of(runbook, entry->value);
	if (index >= range.from && index < range.to) {
		finding = findings_add(resolver->draft->findings, name->place, path,
				       "the step \"%s\" depends on itself", QUOTE(name->text));
		finding_fix(finding, "remove it from its own depends_on");
		return;
	}
	for (size_t i = range.from; i < range.to; i++) {
		if (resolver->seen_by[i] != index + 1) {
			resolver->seen_by[i] = index + 1;
			step->depends_on[step->n_depends_on++] = i;
			continue;
		}
		if (!report)
			continue;
		finding = findings_add(resolver->draft->findings, name->place, path,
				       "\"%s\" stands twice in this list",
				       QUOTE(runbook->steps[i].name));
		finding_fix(finding, "remove one");
		return;
	}
}

/* The maximum of edges that the list of a step makes */
static size_t edges_count(const struct resolver *resolver, const struct step_source *source)
{
	size_t n = 0;

	for (size_t i = 0; i < source->depends_on->n_items; i++) {
		const struct name_entry *entry =
			name_index_get(resolver->names, dependency_text(source, i));
		struct range range;

		if (!entry)
			continue;
		range = range_of(resolver->draft->runbook, entry->value);
		n += range.to - range.from;
	}
	return n;
}

void report_edges(struct draft *draft, const struct node *list, const struct node_path *path)
{
	struct runbook_finding *finding =
		findings_add(draft->findings, list->place, path,
			     "with the instances of matrices, more than 400000 dependencies");

	finding_fix(finding, "put one step between two matrices: it depends on the first, "
			     "the second on it");
}

/* Resolves depends_on of a step. Instances with the same list report its findings once. */
static int step_resolve(struct resolver *resolver, size_t index)
{
	struct draft *draft = resolver->draft;
	struct runbook_step *step = &draft->runbook->steps[index];
	const struct step_source *source = &draft->sources[index];
	const struct node *list = source->depends_on;
	struct node_path steps = {.key = "steps"};
	struct node_path parent = {.parent = &steps, .index = source->item};
	struct node_path key = {.parent = &parent, .key = "depends_on"};
	bool report = step->matrix == SIZE_MAX || source->dependencies ||
		      matrix_begun(draft->runbook, index);
	size_t n;

	if (!list || list->n_items == 0)
		return 0;
	n = edges_count(resolver, source);
	resolver->n_edges += n;
	if (resolver->n_edges > RUNBOOK_EDGES_MAX) {
		report_edges(draft, list, &key);
		return 0;
	}
	step->depends_on = calloc(n + 1, sizeof(*step->depends_on));
	if (!step->depends_on)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_items; i++) {
		struct node_path path = {.parent = &key, .index = i};
		struct node name = *list->items[i];

		name.text = (char *)(uintptr_t)dependency_text(source, i);
		entry_resolve(resolver, index, &name, &path, report);
	}
	return 0;
}

static int edges_resolve(struct draft *draft, struct name_index *names)
{
	size_t n = draft->runbook->n_steps;
	cleanup_free size_t *seen_by = calloc(n, sizeof(*seen_by));
	struct resolver resolver = {.draft = draft, .names = names, .seen_by = seen_by};

	if (!seen_by)
		return -ENOMEM;
	for (size_t i = 0; i < n && resolver.n_edges <= RUNBOOK_EDGES_MAX; i++) {
		int r = step_resolve(&resolver, i);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- order ---- */

/** struct dependants - for each step the steps that depend on it, in one array */
struct dependants {
	size_t *start; /* n + 1 offsets into list */
	size_t *list;
};

static void cleanup_dependants_fn(struct dependants *dependants)
{
	free(dependants->start);
	free(dependants->list);
}

static int dependants_build(const struct runbook *runbook, struct dependants *ret)
{
	size_t n = runbook->n_steps, n_edges = 0;
	cleanup_free size_t *filled = calloc(n, sizeof(*filled));

	ret->start = calloc(n + 1, sizeof(*ret->start));
	if (!ret->start || !filled)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct runbook_step *step = &runbook->steps[i];

		n_edges += step->n_depends_on;
		for (size_t j = 0; j < step->n_depends_on; j++)
			ret->start[step->depends_on[j] + 1]++;
	}
	for (size_t i = 0; i < n; i++)
		ret->start[i + 1] += ret->start[i];
	ret->list = calloc(n_edges + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct runbook_step *step = &runbook->steps[i];

		for (size_t j = 0; j < step->n_depends_on; j++) {
			size_t to = step->depends_on[j];

			ret->list[ret->start[to] + filled[to]++] = i;
		}
	}
	return 0;
}

/* Kahn's algorithm; runbook->order is its queue, too. @ret_n_ordered < n_steps: a circle. */
static int order_make(struct runbook *runbook, size_t *ret_n_ordered)
{
	__attribute__((cleanup(cleanup_dependants_fn))) struct dependants dependants = {0};
	size_t n = runbook->n_steps, n_ordered = 0;
	cleanup_free size_t *waits_for = calloc(n, sizeof(*waits_for));
	int r = dependants_build(runbook, &dependants);

	runbook->order = calloc(n, sizeof(*runbook->order));
	if (r < 0 || !waits_for || !runbook->order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		waits_for[i] = runbook->steps[i].n_depends_on;
		if (waits_for[i] == 0)
			runbook->order[n_ordered++] = i;
	}
	for (size_t done = 0; done < n_ordered; done++) {
		size_t step = runbook->order[done];

		for (size_t j = dependants.start[step]; j < dependants.start[step + 1]; j++) {
			if (--waits_for[dependants.list[j]] == 0)
				runbook->order[n_ordered++] = dependants.list[j];
		}
	}
	*ret_n_ordered = n_ordered;
	return 0;
}

/* ---- circles ---- */

/* Steps of a long circle that the message names */
#define CYCLE_SHOWN 8

/* Index in the list of @source of the name of @step, or of its matrix; it is in there. */
static size_t dependency_position(const struct runbook *runbook, const struct step_source *source,
				  const struct runbook_step *step)
{
	const char *group = step->matrix == SIZE_MAX ? NULL : runbook->matrices[step->matrix].name;

	for (size_t i = 0; i < source->depends_on->n_items; i++) {
		const char *name = dependency_text(source, i);

		if (strcmp(name, step->name) == 0 || (group && strcmp(name, group) == 0))
			return i;
	}
	return 0;
}

/*
 * Writes "a -> b -> c -> ", or for a long circle its beginning and "... -> ", without cutting
 * names. Return: whether it is complete.
 */
static bool cycle_text(char *out, size_t size, const struct runbook *runbook, const size_t *cycle,
		       size_t n, size_t first)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		struct quoted name = quote(runbook->steps[cycle[(first + i) % n]].name);

		if (i == CYCLE_SHOWN || used + strlen(name.text) + sizeof(" -> ... -> ") > size) {
			strcpy(out + used, "... -> ");
			return false;
		}
		used += (size_t)sprintf(out + used, "%s -> ", name.text);
	}
	return true;
}

/* @cycle: each step depends on the next, the last one on the first */
static void report_cycle(struct draft *draft, const size_t *cycle, size_t n)
{
	const struct runbook *runbook = draft->runbook;
	struct node_path steps = {.key = "steps"};
	struct node_path step = {.parent = &steps};
	struct node_path key = {.parent = &step, .key = "depends_on"};
	struct node_path path = {.parent = &key};
	struct runbook_finding *finding;
	const struct node *list;
	size_t first = 0, from, to;
	char text[400], count[40] = "";

	for (size_t i = 1; i < n; i++) /* begin with the step that is first in the file */
		first = cycle[i] < cycle[first] ? i : first;
	if (!cycle_text(text, sizeof(text), runbook, cycle, n, first))
		(void)snprintf(count, sizeof(count), " of %zu steps", n);
	from = cycle[first];
	to = cycle[(first + 1) % n];
	step.index = draft->sources[from].item;
	list = draft->sources[from].depends_on;
	path.index = dependency_position(runbook, &draft->sources[from], &runbook->steps[to]);
	finding = findings_add(draft->findings, list->items[path.index]->place, &path,
			       "dependency cycle%s: %s%s", count, text,
			       QUOTE(runbook->steps[from].name));
	finding_fix(finding, "remove one of these dependencies, such as \"%s\" here",
		    QUOTE(runbook->steps[to].name));
}

/* A dependency of @step that has no place in the order either; there always is one. */
static size_t unordered_dependency(const struct runbook_step *step, const bool *ordered)
{
	size_t i = 0;

	while (ordered[step->depends_on[i]])
		i++;
	return step->depends_on[i];
}

/* From each step without a place in the order, walks along such dependencies into a circle. */
static int cycles_report(struct draft *draft, size_t n_ordered)
{
	const struct runbook *runbook = draft->runbook;
	size_t n = runbook->n_steps;
	cleanup_free bool *ordered = calloc(n, sizeof(*ordered));
	cleanup_free size_t *walk_of =
		calloc(n, sizeof(*walk_of)); /* walk that visited a step; 0: none */
	cleanup_free size_t *walk = calloc(n, sizeof(*walk));

	if (!ordered || !walk_of || !walk)
		return -ENOMEM;
	for (size_t i = 0; i < n_ordered; i++)
		ordered[runbook->order[i]] = true;
	for (size_t i = 0; i < n; i++) {
		size_t step = i, n_walk = 0, start = 0;

		if (ordered[i] || walk_of[i])
			continue;
		while (!walk_of[step]) {
			walk_of[step] = i + 1;
			walk[n_walk++] = step;
			step = unordered_dependency(&runbook->steps[step], ordered);
		}
		if (walk_of[step] != i + 1) /* reached a circle that is reported already */
			continue;
		while (walk[start] != step)
			start++;
		report_cycle(draft, walk + start, n_walk - start);
	}
	return 0;
}

/* ---- slugs ---- */

static void slug_base(char *out, const char *name)
{
	size_t length = 0;

	for (; length < STEP_SLUG_MAX && name[length]; length++) {
		unsigned char c = (unsigned char)name[length];

		out[length] = (isalnum(c) && c < 0x80) || strchr("._-", c) ? (char)c : '_';
	}
	out[length] = '\0';
	if (out[0] == '.' || out[0] == '-') /* a hidden file, or like an option on a command line */
		out[0] = '_';
}

/*
 * The index stores for each base the last number tried, so a thousand equal bases cost a
 * thousand lookups, not a million.
 */
static int slugs_make(struct runbook *runbook)
{
	cleanup_index struct name_index used = {0};

	for (size_t i = 0; i < runbook->n_steps; i++) {
		struct runbook_step *step = &runbook->steps[i];
		struct name_entry *taken;
		char base[STEP_SLUG_MAX + 1];
		size_t number;

		slug_base(base, step->name);
		strcpy(step->slug, base);
		taken = name_index_get(&used, base);
		for (number = taken ? taken->value : 1; taken;
		     taken = name_index_get(&used, step->slug)) {
			char suffix[24];
			size_t length = (size_t)snprintf(suffix, sizeof(suffix), "-%zu", ++number);
			size_t keep = strlen(base);

			if (keep > STEP_SLUG_MAX - length)
				keep = STEP_SLUG_MAX - length;
			memcpy(step->slug, base, keep);
			memcpy(step->slug + keep, suffix, length + 1);
		}
		taken = name_index_get(&used, base);
		if (taken)
			taken->value = number;
		if (name_index_put(&used, step->slug, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int graph_check(struct draft *draft)
{
	cleanup_index struct name_index names = {0};
	struct runbook *runbook = draft->runbook;
	size_t n_ordered;
	int r;

	if (runbook->n_steps == 0)
		return 0;
	r = names_index(draft, &names);
	if (r < 0)
		return r;
	r = edges_resolve(draft, &names);
	if (r < 0)
		return r;
	r = order_make(runbook, &n_ordered);
	if (r < 0)
		return r;
	if (n_ordered < runbook->n_steps)
		return cycles_report(draft, n_ordered);
	return draft->findings->n ? 0 : slugs_make(runbook);
}
