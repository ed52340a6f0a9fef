/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_SCHEMA_H
#define RUNBOOK_SCHEMA_H

/*
 * DOC: The keys
 *
 * schema.c holds one table of every key: where it may stand, how its value is
 * read and into which field, its limits, its default and a sentence of help.
 * Reading a map is a loop over its keys and a look into the table; unknown and
 * misplaced keys, "did you mean", missing required keys and the list of allowed
 * keys come from it as well. A key whose reader is NULL belongs to the language
 * but not to this version: it is refused by name, never ignored.
 */

#include "runbook/findings.h"
#include "runbook/nearest.h"
#include "runbook/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_scope {
	SCOPE_ROOT = 1 << 0,
	SCOPE_GLOBAL = 1 << 1,
	SCOPE_STEP = 1 << 2,
	SCOPE_RESOURCES = 1 << 3,
	SCOPE_IO = 1 << 4, /* resources.io */
};

/** struct step_source - what the graph check needs to know of a step's text */
struct step_source {
	const struct node *name;       /* NULL when missing or wrong */
	const struct node *depends_on; /* a list; NULL when absent or wrong */
};

/** struct draft - a runbook in the making */
struct draft {
	struct runbook *runbook;
	struct step_source *sources;  /* beside runbook->steps */
	struct runbook_step defaults; /* "global": fields a step may override */
	struct findings *findings;
	size_t current_step;
	size_t n_compared; /* names looked at for "did you mean" */
};

struct schema_key;

/**
 * typedef value_fn - read one value into the field at @target
 *
 * Return: 0 (also when it reported a finding) or -ENOMEM.
 */
typedef int value_fn(struct draft *draft, const struct schema_key *key, const struct node *node,
		     const struct node_path *path, void *target);

struct schema_key {
	const char *name;
	unsigned scopes; /* set of enum schema_scope */
	value_fn *read;	 /* NULL: not in this version */
	size_t offset;	 /* of the field in struct runbook (root), runbook_step (global, step)
			  * or runbook_resources (resources, io) */
	bool required;
	uint64_t min, max;  /* numbers, in the field's unit; texts: bytes */
	const char *range;  /* the same for people */
	const char *format; /* what a value looks like, for people */
	const char *fallback;
	const char *help;
};

/** schema_keys() - the table, for documentation and tests */
const struct schema_key *schema_keys(size_t *ret_n);

/**
 * schema_read() - tree to draft
 * @draft: findings and runbook (zeroed) set by the caller
 *
 * Return: 0 (findings tell whether all is well) or -ENOMEM.
 */
int schema_read(struct draft *draft, const struct document *document);

/** draft_done() - free what a draft owns beside its runbook */
void draft_done(struct draft *draft);

/** graph_check() - resolve names, find circles, order, make slugs. Return: as schema_read(). */
int graph_check(struct draft *draft);

/** schema_read_map() - read @node's keys of @scope into the struct at @target. 0 or -ENOMEM. */
int schema_read_map(struct draft *draft, enum schema_scope scope, const struct node *node,
		    const struct node_path *path, void *target);

/* readers of values, values.c */
value_fn read_title;
value_fn read_command;
value_fn read_shell;
value_fn read_image;
value_fn read_network;
value_fn read_duration;
value_fn read_size;
value_fn read_cpus;
value_fn read_count;
value_fn read_env;
value_fn read_depends_on;

/** report_type() - "KEY must be WANTED, but is …" with the fix that fits what is there */
void report_type(struct draft *draft, const char *subject, const char *wanted, const char *format,
		 const struct node *node, const struct node_path *path);

/** step_done() - free what @step owns */
void step_done(struct runbook_step *step);

/** env_done() - free a list of variables */
void env_done(struct runbook_env *env, size_t n_env);

#endif
