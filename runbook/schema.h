/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_SCHEMA_H
#define RUNBOOK_SCHEMA_H

/*
 * DOC: The keys
 *
 * schema_keys.c has one table of all keys: the maps that allow it, the function that reads its
 * value and the field for it, its limits, its default and a sentence of help. Reading a map
 * (schema.c) looks each of its keys up in the table; findings about unknown, misplaced and
 * missing keys (schema_unknown.c) and the JSON Schema for editors (schema_json.c) are derived
 * from it as well. A key without a reader belongs to the language but not to this version: it
 * is refused by name, never ignored.
 *
 * The table names every reader. If readers named the table, all files would depend on each
 * other in a circle; so they use the pointer to it in their draft.
 */

#include "runbook/findings.h"
#include "runbook/nearest.h"
#include "runbook/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum schema_scope {
	SCOPE_ROOT = 1 << 0,
	SCOPE_GLOBAL = 1 << 1,
	SCOPE_STEP = 1 << 2,
	SCOPE_RESOURCES = 1 << 3,
	SCOPE_IO = 1 << 4, /* resources.io */
	SCOPE_ON = 1 << 5,
	SCOPE_PUSH = 1 << 6, /* on.push, and so on */
	SCOPE_PULL_REQUEST = 1 << 7,
	SCOPE_TAG = 1 << 8,
	SCOPE_SCHEDULE = 1 << 9,
	SCOPE_MANUAL = 1 << 10,
	SCOPE_CONCURRENCY = 1 << 11,
	SCOPE_WHEN = 1 << 12,
	SCOPE_MATRIX = 1 << 13, /* besides the axes, whose names are free */
};
#define SCHEMA_SCOPES 14

#define GROUP_NAME_MAX STEP_NAME_MAX
#define GLOBS_MAX 100 /* patterns in one list */
#define SCHEDULES_MAX 50
#define LABELS_MAX 16
#define LABEL_MAX 64

/** struct step_source - nodes of a step that graph_check() needs */
struct step_source {
	const struct node *name;       /* NULL if missing or invalid */
	const struct node *depends_on; /* a list; NULL if absent or invalid */
	char **dependencies;	       /* names with the values of a matrix; NULL: as written */
	size_t item;		       /* index in the file's list of steps, without instances */
	bool interruptible_given;
};

struct matrix;
struct schema_key;

/** struct draft - a runbook while it is read */
struct draft {
	struct runbook *runbook;
	const struct schema_key *keys; /* schema_keys(), which readers must not call */
	size_t n_keys;
	struct step_source *sources;  /* one for each of runbook->steps */
	size_t n_room;		      /* of both arrays */
	struct runbook_step defaults; /* "global": fields a step may override */
	struct findings *findings;
	size_t current_step;
	const struct matrix *matrix; /* of the current step; NULL: none */
	size_t combination;	     /* the current one of .matrix */
	size_t n_combinations;	     /* of all matrices so far */
	size_t text_bytes;	     /* of all instances of matrices so far */
	size_t n_dependencies;	     /* entries of "depends_on" so far, of all instances */
	size_t n_compared;	     /* names compared for "did you mean" */
};

/**
 * typedef value_fn - read one value into the field at @target
 *
 * Return: 0 (also when it reported a finding) or -ENOMEM.
 */
typedef int value_fn(struct draft *draft, const struct schema_key *key, const struct node *node,
		     const struct node_path *path, void *target);

/** struct schema_key - a line of the table of keys */
struct schema_key {
	const char *name;
	unsigned scopes; /* mask of enum schema_scope */
	value_fn *read;	 /* NULL: not in this version */
	size_t offset;	 /* of the field in the struct for the scope's map */
	unsigned inner;	 /* scope of the value if it is a map with keys of this table */
	bool required;
	uint64_t min, max;  /* numbers, in the field's unit; texts: bytes; lists: entries */
	const char *range;  /* the same for people */
	const char *format; /* form of a value, for people */
	const char *fallback;
	const char *help;
	const char *too_long; /* fix for a text above max; NULL: shorten it */
};

/** schema_keys() - the table, for documentation and tests */
const struct schema_key *schema_keys(size_t *ret_n);

/** schema_key_find() - the key @name of one of @scopes in the draft's table, or NULL */
const struct schema_key *schema_key_find(const struct draft *draft, const char *name,
					 unsigned scopes);

/**
 * graph_check() - resolve names, find circles, order the steps, make slugs
 *
 * Return: 0, also with findings; -ENOMEM.
 */
int graph_check(struct draft *draft);

/** schema_read_map() - read a map of @scope into the struct at @target. Return: 0 or -ENOMEM. */
int schema_read_map(struct draft *draft, enum schema_scope scope, const struct node *node,
		    const struct node_path *path, void *target);

/**
 * schema_read_submap() - the same for the value of @key, which has key->inner
 *
 * Reports a value that is not a map. Return: 0 or -ENOMEM.
 */
int schema_read_submap(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path, void *target);

/**
 * schema_unknown_key() - report a key that its map does not allow
 *
 * Return: the key that was probably meant, or NULL.
 */
const struct schema_key *schema_unknown_key(struct draft *draft, enum schema_scope scope,
					    const struct node *name, const struct node_path *path);

/** schema_suggest() - the key of @scope that was probably meant by @name, or NULL */
const char *schema_suggest(const struct draft *draft, const char *name, enum schema_scope scope);

/** steps_merge_defaults() - copy values of "global" to steps without their own. 0 or -ENOMEM. */
int steps_merge_defaults(struct draft *draft);
/** steps_check_totals() - report steps with more text than execve(2) accepts */
void steps_check_totals(struct draft *draft);

/* readers of maps and steps: schema.c, schema_steps.c */
value_fn read_global;
value_fn read_resources;
value_fn read_io;
value_fn read_steps;
/* of values: values.c, values_step.c */
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
value_fn read_bool;
value_fn read_user;
value_fn read_workdir;
value_fn read_labels;
value_fn read_matrix;
/* of keys that start runs or bound them: schema_on.c, schema_when.c */
value_fn read_on;
value_fn read_event;
value_fn read_globs;
value_fn read_schedule;
value_fn read_cron;
value_fn read_timezone;
value_fn read_branch;
value_fn read_priority;
value_fn read_concurrency;
value_fn read_group;
value_fn read_when;
value_fn read_statuses;
value_fn read_events;

/** report_unknown_event() - report_unknown_word() for the name of an event */
void report_unknown_event(struct draft *draft, const struct schema_key *key,
			  const struct node *node, const struct node_path *path);

#endif
