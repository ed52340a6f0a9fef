/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Readers of a step's smaller keys. */

int read_bool(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	if (node->kind == NODE_BOOL)
		*(bool *)target = tolower((unsigned char)node->text[0]) == 't';
	else
		report_type(draft, SUBJECT(key), "true or false", key->format, node, path);
	return 0;
}

/* Does nothing: item_read() has read the matrix before the step. */
int read_matrix(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path, void *target)
{
	(void)draft;
	(void)key;
	(void)node;
	(void)path;
	(void)target;
	return 0;
}

/* A number of at most 65535, the range of ids in a step */
static bool id_valid(const char *text, size_t length)
{
	unsigned value = 0;

	if (length == 0 || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = 10 * value + (unsigned)(text[i] - '0');
	}
	return value <= 65535;
}

/* Names that useradd(8) accepts */
static bool user_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length > 32 || !(isalpha((unsigned char)name[0]) || name[0] == '_'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	}
	return true;
}

static bool user_valid(const char *user)
{
	const char *colon = strchr(user, ':');

	if (colon)
		return id_valid(user, (size_t)(colon - user)) &&
		       id_valid(colon + 1, strlen(colon + 1));
	return id_valid(user, strlen(user)) || user_name_valid(user);
}

int read_user(struct draft *draft, const struct schema_key *key, const struct node *node,
	      const struct node_path *path, void *target)
{
	cleanup_expanded struct expanded expanded = {.owned = NULL};
	struct runbook_finding *finding;
	int r = node_expand(draft, node, path, &expanded);

	if (r != 0)
		return r < 0 ? r : 0;
	node = &expanded.node;
	/* a plain number is a uid */
	if (node->kind != NODE_INT && !check_line(draft, key, node, path))
		return 0;
	if (user_valid(node->text))
		return text_store(node, target);
	finding = findings_add(draft->findings, node->place, path, "\"%s\" is not a user",
			       QUOTE(node->text));
	finding_fix(finding, strchr(node->text, ':')
				     ? "write numbers from 0 to 65535: \"1000:1000\""
				     : "write a name, or numbers from 0 to 65535: \"1000:1000\"");
	return 0;
}

#define WORKSPACE "/workspace"

/* Is the path without ".." and without empty components? */
static bool path_is_plain(const char *path)
{
	for (const char *part = path;; part++) {
		size_t length = strcspn(part, "/");

		if (length == 0 || (length == 2 && strncmp(part, "..", 2) == 0))
			return false;
		part += length;
		if (*part == '\0')
			return true;
	}
}

int read_workdir(struct draft *draft, const struct schema_key *key, const struct node *node,
		 const struct node_path *path, void *target)
{
	cleanup_expanded struct expanded expanded = {.owned = NULL};
	const char *base = WORKSPACE, *rest;
	struct runbook_finding *finding;
	int r = node_expand(draft, node, path, &expanded);

	if (r != 0)
		return r < 0 ? r : 0;
	node = &expanded.node;
	if (!check_line(draft, key, node, path))
		return 0;
	rest = node->text;
	if (rest[0] == '/') {
		base = "";
		rest++;
	} else if (strcmp(rest, "~") == 0 || strcmp(rest, ".") == 0) {
		rest = "";
	} else if (strncmp(rest, "~/", 2) == 0 || strncmp(rest, "./", 2) == 0) {
		rest += 2;
	}
	if (*rest && (rest[0] == '~' || !path_is_plain(rest))) {
		finding = findings_add(draft->findings, node->place, path,
				       "\"%s\" is not a plain path of a directory",
				       QUOTE(node->text));
		finding_fix(finding, "write a path without \"..\" and without \"/\" at its end, "
				     "from the top of the repository or from /");
		return 0;
	}
	if (asprintf((char **)target, "%s%s%s", base, *rest || !*base ? "/" : "", rest) < 0) {
		*(char **)target = NULL;
		return -ENOMEM;
	}
	return 0;
}

static bool label_valid(const char *label)
{
	size_t length = strlen(label);

	if (length == 0 || length > LABEL_MAX || !isalnum((unsigned char)label[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)label[i]) && !strchr("._/=-", label[i]))
			return false;
	}
	return true;
}

/* Appends one label to the step's list, which has room. */
static int label_read(struct draft *draft, const struct node *node, const struct node_path *path,
		      struct runbook_step *step)
{
	cleanup_expanded struct expanded expanded = {.owned = NULL};
	struct runbook_finding *finding;
	int r = node_expand(draft, node, path, &expanded);

	if (r != 0)
		return r < 0 ? r : 0;
	node = &expanded.node;
	if (node->kind != NODE_TEXT) {
		report_type(draft, "a label", "text", "a label such as gpu", node, path);
		return 0;
	}
	if (!label_valid(node->text)) {
		finding = findings_add(draft->findings, node->place, path, "\"%s\" is not a label",
				       QUOTE(node->text));
		finding_fix(finding, "write at most 64 letters, digits and . _ / = -, a letter or "
				     "digit first");
		return 0;
	}
	for (size_t i = 0; i < step->n_labels; i++) {
		if (!step->labels[i] || strcmp(step->labels[i], node->text) != 0)
			continue;
		finding = findings_add(draft->findings, node->place, path,
				       "the label \"%s\" stands twice", QUOTE(node->text));
		finding_fix(finding, "remove one");
		return 0;
	}
	r = text_store(node, &step->labels[step->n_labels]);
	if (r == 0)
		step->n_labels++;
	return r;
}

/* @target is labels of runbook_step, which n_labels follows. */
int read_labels(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path, void *target)
{
	struct runbook_step *step = container_of(target, struct runbook_step, labels);
	size_t n = node->kind == NODE_LIST ? node->n_items : 1;
	struct runbook_finding *finding;

	if (node->kind != NODE_LIST && node->kind != NODE_TEXT) {
		report_type(draft, SUBJECT(key), "a list", key->format, node, path);
		return 0;
	}
	if (n > LABELS_MAX) {
		finding = findings_add(draft->findings, node->place, path,
				       "%zu labels, more than %d", n, LABELS_MAX);
		finding_fix(finding, "give the host one label that stands for several");
		return 0;
	}
	/* an empty list is valid, too: it overrides the labels of "global" */
	step->labels = calloc(n + 1, sizeof(*step->labels));
	if (!step->labels)
		return -ENOMEM;
	if (node->kind == NODE_TEXT)
		return label_read(draft, node, path, step);
	for (size_t i = 0; i < n; i++) {
		struct node_path entry = {.parent = path, .index = i};
		int r = label_read(draft, node->items[i], &entry, step);

		if (r < 0)
			return r;
	}
	return 0;
}
