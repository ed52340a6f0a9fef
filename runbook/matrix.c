/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"

#include "runbook/memory.h"
#include "runbook/name_index.h"
#include "runbook/report.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX STEP_NAME_MAX /* a value is part of a name */

static void cleanup_index_fn(struct name_index *index)
{
	name_index_done(index);
}
#define cleanup_index __attribute__((cleanup(cleanup_index_fn)))

void matrix_done(struct matrix *matrix)
{
	free(matrix->values);
	matrix->values = NULL;
}

int matrix_name_find(const struct matrix *matrix, const char *name, size_t length)
{
	for (size_t i = 0; i < matrix->n_names; i++) {
		if (matrix->names[i]->length == length &&
		    memcmp(matrix->names[i]->text, name, length) == 0)
			return (int)i;
	}
	return -1;
}

const char *matrix_value(const struct matrix *matrix, size_t combination, size_t name)
{
	return matrix->values[combination * matrix->n_names + name];
}

char *matrix_instance_name(const struct matrix *matrix, size_t combination, const char *name)
{
	char *text = NULL;
	size_t size;
	bool first = true;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s (", name);
	for (size_t i = 0; i < matrix->n_names; i++) {
		const char *value = matrix_value(matrix, combination, i);

		if (!value)
			continue;
		fprintf(out, "%s%s=%s", first ? "" : ", ", matrix->names[i]->text, value);
		first = false;
	}
	fputc(')', out);
	return stream_finish(out, &text);
}

/* ---- axes ---- */

/* Numbers and other scalars are used as they are written: 3.10 stays 3.10. */
static bool check_value(struct draft *draft, const struct node *value, const struct node_path *path)
{
	struct runbook_finding *finding;

	if (!node_is_scalar(value) || value->kind == NODE_NULL) {
		report_type(draft, "a value of a matrix", "one text or number",
			    "one text or number", value, path);
		return false;
	}
	if (value->length <= VALUE_MAX && text_printable(value->text))
		return true;
	if (value->length > VALUE_MAX)
		finding =
			findings_add(draft->findings, value->place, path,
				     "a value of a matrix cannot be longer than 200 bytes: \"%s\"",
				     QUOTE(value->text));
	else
		finding = findings_add(draft->findings, value->place, path,
				       "a value of a matrix cannot be a text with %s: \"%s\"",
				       text_problem(value->text), QUOTE(value->text));
	finding_fix(finding, "write a short name, and choose by it in the command");
	return false;
}

static int axis_check_values(struct draft *draft, const struct node *list,
			     const struct node_path *path)
{
	cleanup_index struct name_index values = {0};

	for (size_t i = 0; i < list->n_items; i++) {
		const struct node *value = list->items[i];
		struct node_path value_path = {.parent = path, .index = i};
		struct runbook_finding *finding;

		if (!check_value(draft, value, &value_path))
			continue;
		if (!name_index_get(&values, value->text)) {
			if (name_index_put(&values, value->text, i) < 0)
				return -ENOMEM;
			continue;
		}
		finding = findings_add(draft->findings, value->place, &value_path,
				       "\"%s\" stands twice in this axis", QUOTE(value->text));
		finding_fix(finding, "remove one");
	}
	return 0;
}

/* Reports an axis that is not a list: a misspelt option, or one value without brackets. */
static void report_axis(struct draft *draft, const struct node *name, const struct node *value,
			const struct node_path *path)
{
	struct runbook_finding *finding =
		findings_add(draft->findings, value->place, path,
			     "the axis \"%s\" must be a list of values, but is %s",
			     QUOTE(name->text), node_kind_name(value->kind));
	const char *meant = finding ? schema_suggest(draft, name->text, SCOPE_MATRIX) : NULL;

	if (meant)
		finding_fix(finding, "did you mean \"%s\"?", meant);
	else if (node_is_scalar(value) && value->kind != NODE_NULL)
		finding_fix(finding, "write %s: [%s]", QUOTE(name->text), QUOTE(value->text));
	else
		finding_fix(finding, "write %s: [one, two]", QUOTE(name->text));
}

/* Adds a name unless it exists. Return: its index; -1 after a finding. */
static int name_add(struct draft *draft, struct matrix *matrix, const struct node *name,
		    const struct node_path *path)
{
	int index = matrix_name_find(matrix, name->text, name->length);
	struct runbook_finding *finding;

	if (index >= 0)
		return index;
	if (!check_env_name(draft, name, path))
		return -1;
	if (matrix->n_names < MATRIX_NAMES_MAX) {
		matrix->names[matrix->n_names] = name;
		return (int)matrix->n_names++;
	}
	finding = findings_add(draft->findings, name->place, path,
			       "the matrix has more than %d names", MATRIX_NAMES_MAX);
	finding_fix(finding, "use fewer axes");
	return -1;
}

/* Adds an axis. A name that is invalid for a variable but resembles an option is unknown. */
static int axis_read(struct draft *draft, struct matrix *matrix, const struct node *name,
		     const struct node *value, const struct node_path *path)
{
	struct runbook_finding *finding;
	int index;

	if (!env_name_valid(name->text) && !findings_full(draft->findings) &&
	    schema_suggest(draft, name->text, SCOPE_MATRIX)) {
		(void)schema_unknown_key(draft, SCOPE_MATRIX, name, path);
		return 0;
	}
	if (value->kind != NODE_LIST) {
		report_axis(draft, name, value, path);
		return 0;
	}
	if (value->n_items == 0 || value->n_items > MATRIX_COMBINATIONS_MAX) {
		finding = findings_add(draft->findings, value->place, path,
				       "the axis \"%s\" has %s values", QUOTE(name->text),
				       value->n_items ? "more than 1000" : "no");
		finding_fix(finding, "write 1 to 1000 values");
		return 0;
	}
	if (matrix_name_find(matrix, name->text, name->length) >= 0) /* reported already */
		return 0;
	index = name_add(draft, matrix, name, path);
	if (index >= 0) {
		matrix->axes[index] = value;
		matrix->n_axes = matrix->n_names;
	}
	return axis_check_values(draft, value, path);
}

/* ---- include and exclude ---- */

static bool check_entry(struct draft *draft, const struct schema_key *key, const struct node *entry,
			const struct node_path *path)
{
	struct runbook_finding *finding;
	bool fits = true;

	if (entry->kind != NODE_MAP) {
		char subject[64];

		(void)snprintf(subject, sizeof(subject), "an entry of \"%s\"", key->name);
		report_type(draft, subject, "a map", "a map such as {cc: gcc}", entry, path);
		return false;
	}
	if (entry->n_items == 0) {
		finding = findings_add(draft->findings, entry->place, path,
				       "an entry of \"%s\" is empty", key->name);
		finding_fix(finding, "write NAME: VALUE in it, or remove it");
		return false;
	}
	for (size_t i = 0; i + 1 < entry->n_items; i += 2) {
		struct node_path value_path = {.parent = path, .key = entry->items[i]->text};

		fits &= check_value(draft, entry->items[i + 1], &value_path);
	}
	return fits;
}

int matrix_read_entries(struct draft *draft, const struct schema_key *key, const struct node *node,
			const struct node_path *path, void *target)
{
	struct runbook_finding *finding;

	if (node->kind != NODE_LIST) {
		report_type(draft, SUBJECT(key), "a list", key->format, node, path);
		return 0;
	}
	if (node->n_items == 0 || node->n_items > key->max) {
		finding = findings_add(draft->findings, node->place, path, "\"%s\" has %s entries",
				       key->name, node->n_items ? "more than 1000" : "no");
		finding_fix(finding,
			    node->n_items ? "write %s entries" : "remove it, or write %s entries",
			    key->range);
		return 0;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path entry = {.parent = path, .index = i};

		(void)check_entry(draft, key, node->items[i], &entry);
	}
	*(const struct node **)target = node;
	return 0;
}

static bool axis_has(const struct node *axis, const char *value)
{
	for (size_t i = 0; i < axis->n_items; i++) {
		if (strcmp(axis->items[i]->text, value) == 0)
			return true;
	}
	return false;
}

/* Each pair of an exclusion must be an axis and one of its values: else it has no effect. */
static void check_exclusion(struct draft *draft, const struct matrix *matrix,
			    const struct node *entry, const struct node_path *path)
{
	for (size_t i = 0; i + 1 < entry->n_items; i += 2) {
		const struct node *name = entry->items[i], *value = entry->items[i + 1];
		struct node_path value_path = {.parent = path, .key = name->text};
		int index = matrix_name_find(matrix, name->text, name->length);
		struct nearest nearest = nearest_start(name->text);
		struct runbook_finding *finding;

		if (index >= 0 && (size_t)index < matrix->n_axes) {
			if (axis_has(matrix->axes[index], value->text))
				continue;
			finding = findings_add(draft->findings, value->place, &value_path,
					       "the axis \"%s\" has no value \"%s\"",
					       QUOTE(name->text), QUOTE(value->text));
			finding_fix(finding, "write one of its values, as it is written there");
			continue;
		}
		finding = findings_add(draft->findings, name->place, &value_path,
				       "the matrix has no axis \"%s\"", QUOTE(name->text));
		for (size_t j = 0; finding && j < matrix->n_axes; j++)
			nearest_offer(&nearest, matrix->names[j]->text);
		if (nearest.best)
			finding_fix(finding, "did you mean \"%s\"?", QUOTE(nearest.best));
		else
			finding_fix(finding, "write the name of an axis");
	}
}

/* Adds the names that only "include" has, and checks exclusions. */
static void check_entries(struct draft *draft, struct matrix *matrix, const struct node_path *path)
{
	struct node_path exclude = {.parent = path, .key = "exclude"};
	struct node_path include = {.parent = path, .key = "include"};

	for (size_t i = 0; matrix->exclude && i < matrix->exclude->n_items; i++) {
		struct node_path entry = {.parent = &exclude, .index = i};

		check_exclusion(draft, matrix, matrix->exclude->items[i], &entry);
	}
	for (size_t i = 0; matrix->include && i < matrix->include->n_items; i++) {
		const struct node *map = matrix->include->items[i];
		struct node_path entry = {.parent = &include, .index = i};

		for (size_t j = 0; j + 1 < map->n_items; j += 2) {
			struct node_path name = {.parent = &entry, .key = map->items[j]->text};

			(void)name_add(draft, matrix, map->items[j], &name);
		}
	}
}

/* ---- combinations ---- */

/** struct entry - an entry of "include" or "exclude": for each name a value or NULL */
struct entry {
	const char *values[MATRIX_NAMES_MAX];
};

static struct entry entry_of(const struct matrix *matrix, const struct node *map)
{
	struct entry entry = {{NULL}};

	for (size_t i = 0; i + 1 < map->n_items; i += 2) {
		int index = matrix_name_find(matrix, map->items[i]->text, map->items[i]->length);

		if (index >= 0)
			entry.values[index] = map->items[i + 1]->text;
	}
	return entry;
}

/* Does @entry contradict no axis value of the row? */
static bool row_agrees(const struct matrix *matrix, const char *const *row,
		       const struct entry *entry)
{
	for (size_t i = 0; i < matrix->n_axes; i++) {
		if (entry->values[i] && strcmp(entry->values[i], row[i]) != 0)
			return false;
	}
	return true;
}

static const char **row_of(struct matrix *matrix, size_t combination)
{
	return matrix->values + combination * matrix->n_names;
}

/* The last axis varies fastest. */
static void rows_multiply(struct matrix *matrix, size_t n_rows)
{
	for (size_t row = 0; row < n_rows; row++) {
		size_t rest = row;

		for (size_t i = matrix->n_axes; i-- > 0;) {
			const struct node *axis = matrix->axes[i];

			row_of(matrix, row)[i] = axis->items[rest % axis->n_items]->text;
			rest /= axis->n_items;
		}
	}
	matrix->n_combinations = n_rows;
}

static void rows_exclude(struct matrix *matrix, const struct entry *entry)
{
	size_t n_kept = 0;

	for (size_t row = 0; row < matrix->n_combinations; row++) {
		if (row_agrees(matrix, row_of(matrix, row), entry))
			continue;
		if (n_kept != row)
			memcpy(row_of(matrix, n_kept), row_of(matrix, row),
			       matrix->n_names * sizeof(*matrix->values));
		n_kept++;
	}
	matrix->n_combinations = n_kept;
}

static bool row_equals(const struct matrix *matrix, const char *const *row,
		       const struct entry *entry)
{
	for (size_t i = 0; i < matrix->n_names; i++) {
		const char *other = entry->values[i];

		if (!row[i] != !other || (other && strcmp(row[i], other) != 0))
			return false;
	}
	return true;
}

/* @n_original: the number of rows from axes */
static void rows_include(struct draft *draft, struct matrix *matrix, size_t n_original,
			 const struct entry *entry, const struct node *map,
			 const struct node_path *path)
{
	struct runbook_finding *finding;
	bool added = false;

	for (size_t row = 0; row < n_original; row++) {
		if (!row_agrees(matrix, row_of(matrix, row), entry))
			continue;
		for (size_t i = matrix->n_axes; i < matrix->n_names; i++) {
			if (entry->values[i])
				row_of(matrix, row)[i] = entry->values[i];
		}
		added = true;
	}
	if (added)
		return;
	for (size_t row = n_original; row < matrix->n_combinations; row++) {
		if (!row_equals(matrix, row_of(matrix, row), entry))
			continue;
		finding = findings_add(draft->findings, map->place, path,
				       "this combination stands twice in \"include\"");
		finding_fix(finding, "remove one");
		return;
	}
	memcpy(row_of(matrix, matrix->n_combinations++), entry->values,
	       matrix->n_names * sizeof(*matrix->values));
}

static size_t axes_product(const struct matrix *matrix)
{
	size_t product = matrix->n_axes ? 1 : 0;

	for (size_t i = 0; i < matrix->n_axes && product <= MATRIX_COMBINATIONS_MAX; i++)
		product *= matrix->axes[i]->n_items;
	return product;
}

static int report_matrix(struct draft *draft, const struct matrix *matrix,
			 const struct node_path *path, const char *message, const char *fix)
{
	finding_fix(findings_add(draft->findings, matrix->place, path, "%s", message), "%s", fix);
	return 0;
}

/* Fills in the rows of a matrix that has no findings. */
static int rows_make(struct draft *draft, struct matrix *matrix, const struct node_path *path)
{
	struct node_path include = {.parent = path, .key = "include"};
	size_t n_include = matrix->include ? matrix->include->n_items : 0, n_original;
	size_t product = axes_product(matrix);

	if (product > MATRIX_COMBINATIONS_MAX)
		return report_matrix(draft, matrix, path,
				     "the matrix has more than 1000 combinations",
				     "use fewer axes or values, or write several steps");
	draft->n_combinations += product + n_include;
	if (draft->n_combinations > MATRIX_ALL_MAX)
		return report_matrix(draft, matrix, path,
				     "the matrices have more than 20000 combinations together",
				     "use fewer axes or values");
	matrix->values =
		calloc((product + n_include) * matrix->n_names + 1, sizeof(*matrix->values));
	if (!matrix->values)
		return -ENOMEM;
	rows_multiply(matrix, product);
	for (size_t i = 0; matrix->exclude && i < matrix->exclude->n_items; i++) {
		struct entry entry = entry_of(matrix, matrix->exclude->items[i]);

		rows_exclude(matrix, &entry);
	}
	n_original = matrix->n_combinations;
	for (size_t i = 0; i < n_include; i++) {
		struct entry entry = entry_of(matrix, matrix->include->items[i]);
		struct node_path entry_path = {.parent = &include, .index = i};

		rows_include(draft, matrix, n_original, &entry, matrix->include->items[i],
			     &entry_path);
	}
	if (matrix->n_combinations > MATRIX_COMBINATIONS_MAX)
		return report_matrix(draft, matrix, path,
				     "the matrix has more than 1000 combinations",
				     "include fewer, or write several steps");
	if (matrix->n_combinations == 0)
		return report_matrix(draft, matrix, path, "\"exclude\" leaves no combination",
				     "exclude less, or remove the step");
	return 0;
}

int matrix_read(struct draft *draft, const struct node *node, const struct node_path *path,
		struct matrix *ret)
{
	size_t n_before = draft->findings->n_reported;
	int r = 0;

	ret->place = node->place;
	if (node->kind != NODE_MAP) {
		report_type(draft, "\"matrix\"", "a map", "a map of lists: {cc: [gcc, clang]}",
			    node, path);
		return 0;
	}
	for (size_t i = 0; r == 0 && i + 1 < node->n_items; i += 2) {
		const struct node *name = node->items[i], *value = node->items[i + 1];
		const struct schema_key *key = schema_key_find(draft, name->text, SCOPE_MATRIX);
		struct node_path value_path = {.parent = path, .key = name->text};

		if (key)
			r = key->read(draft, key, value, &value_path, (char *)ret + key->offset);
		else
			r = axis_read(draft, ret, name, value, &value_path);
	}
	if (r < 0)
		return r;
	if (draft->findings->n_reported == n_before)
		check_entries(draft, ret, path);
	if (draft->findings->n_reported == n_before && ret->n_names == 0)
		(void)report_matrix(draft, ret, path, "the matrix has no axes",
				    "write a list of values for at least one name: {cc: [gcc, "
				    "clang]}");
	if (draft->findings->n_reported == n_before)
		r = rows_make(draft, ret, path);
	if (draft->findings->n_reported != n_before)
		ret->n_combinations = 0;
	return r;
}
