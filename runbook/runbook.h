/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_RUNBOOK_H
#define RUNBOOK_RUNBOOK_H

/*
 * DOC: The language
 *
 * runbook_parse() turns the bytes of a runbook.yml into a checked structure, or into a list of
 * findings with places. It uses no I/O, no globals and no clock. One table, in schema_keys.c,
 * has type, limits, default and help of every key; parsing, the hint about the nearest key and
 * the JSON Schema are derived from it.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct runbook_place - line and column, both from 1; 0 stands for the whole file */
struct runbook_place {
	unsigned line;
	unsigned column;
};

/** struct runbook_finding - one problem and its fix */
struct runbook_finding {
	struct runbook_place place;
	char path[256];	   /* "steps[3].depends_on[0]" */
	char message[512]; /* "unknown key "comand"" */
	char fix[256];	   /* "did you mean "command"?", may be "" */
};

#define RUNBOOK_FINDINGS_MAX 50

/** struct runbook_env - a variable */
struct runbook_env {
	char *name;
	char *value;
};

/** struct runbook_resources - hard limits; 0: not given */
struct runbook_resources {
	uint64_t cpu_milli;
	uint64_t memory;
	uint64_t pids;
	uint64_t disk;
	/* per second and disk */
	uint64_t io_read, io_write;	    /* bytes */
	uint64_t io_read_ops, io_write_ops; /* operations */
};

/**
 * struct runbook_globs - patterns for branches, tags or paths, in the order of the file
 *
 * A leading "!" excludes; the last pattern that matches decides.
 */
struct runbook_globs {
	char **items;
	size_t n_items;
};

/** enum runbook_event - events that can start a run, keys of "on" */
enum runbook_event {
	RUNBOOK_EVENT_PUSH,
	RUNBOOK_EVENT_PULL_REQUEST,
	RUNBOOK_EVENT_TAG,
	RUNBOOK_EVENT_SCHEDULE,
	RUNBOOK_EVENT_MANUAL,
	RUNBOOK_EVENT_NUM,
};

/** struct runbook_filter - one event of "on" */
struct runbook_filter {
	bool given; /* the event starts runs; without "on" true for push, pull_request, manual */
	struct runbook_globs branches, tags, paths;
};

/** struct runbook_schedule - one entry of "on.schedule"; .cron is for cron_parse() */
struct runbook_schedule {
	char *cron;
	char *timezone; /* NULL: UTC */
	struct runbook_place timezone_place;
	char *branch; /* NULL: the default branch */
};

#define RUNBOOK_WHEN_SUCCESS (1U << 0) /* all dependencies succeeded, or may fail */
#define RUNBOOK_WHEN_FAILURE (1U << 1) /* an ancestor failed that may not fail */

/** struct runbook_when - conditions of a step; all of them must hold */
struct runbook_when {
	unsigned statuses; /* RUNBOOK_WHEN_*, never 0 */
	unsigned events;   /* 1 << enum runbook_event; 0: any */
	struct runbook_globs branches, paths;
};

/** struct runbook_matrix - the instances of one step, which are adjacent in runbook.steps */
struct runbook_matrix {
	char *name; /* name of the step in the file, for depends_on */
	size_t first, n_steps;
	uint64_t limit; /* instances that may run at once; 0: any number */
	bool fail_fast; /* the first failed instance cancels the others */
};

/** struct runbook_step - a step with its effective values; owns its strings */
struct runbook_step {
	char *name;		      /* for an instance of a matrix "NAME (a=1, b=2)" */
	char slug[STEP_SLUG_MAX + 1]; /* unique in the runbook; file name of the log */
	char *command;
	size_t *depends_on; /* indexes into runbook.steps */
	size_t n_depends_on;
	struct runbook_env *env; /* the matrix's values, then the step's own; without global.env */
	size_t n_env;
	char *image; /* effective: step, else global, else "host" */
	enum step_network network;
	bool network_given; /* the file gives it; otherwise the configured default is used */
	struct runbook_resources resources;
	uint64_t timeout_sec; /* effective; 0 if neither step nor global gives it */
	char *shell;	      /* effective; NULL: bash -eo pipefail, or sh -e */
	struct runbook_when when;
	uint64_t attempts; /* effective, from 1 */
	bool allow_failure;
	bool interruptible;
	bool tty;
	char *user;    /* effective: a name or UID[:GID]; NULL: the image's */
	char *workdir; /* effective, absolute; NULL: the image's, or the workspace */
	char **labels; /* effective; a host must have all of them */
	size_t n_labels;
	size_t matrix; /* index into runbook.matrices, or SIZE_MAX */
	struct runbook_place place;
};

/** struct runbook - a checked runbook */
struct runbook {
	char *name;		 /* may be NULL */
	struct runbook_env *env; /* global.env */
	size_t n_env;
	struct runbook_step *steps;
	size_t n_steps;
	size_t *order; /* a topological order of step indexes, n_steps long */
	bool on_given; /* the file has "on" */
	struct runbook_filter on[RUNBOOK_EVENT_NUM];
	struct runbook_schedule *schedules;
	size_t n_schedules;
	bool schedules_listed;	 /* "on.schedule" is a list, which paths of findings show */
	int64_t priority;	 /* -100 to 100 */
	char *concurrency_group; /* may contain {{ ref }}, {{ branch }}, {{ event }}; NULL: none */
	uint64_t concurrency_limit; /* runs of the group at once, from 1 */
	bool cancel_superseded;	    /* a new run of the group cancels earlier ones */
	uint64_t timeout_sec;	    /* of the whole run; 0: none */
	uint64_t queue_timeout_sec; /* for a ready step to start; 0: no limit */
	struct runbook_matrix *matrices;
	size_t n_matrices;
};

/**
 * runbook_parse() - parse and check
 * @data, @size:  the file's bytes, untrusted
 * @ret_runbook:  set on success; runbook_free() it
 * @findings:     room for RUNBOOK_FINDINGS_MAX, filled on failure
 * @ret_n:        number of findings
 *
 * Return: 0, -EINVAL with at least one finding, or -ENOMEM.
 */
int runbook_parse(const char *data, size_t size, struct runbook **ret_runbook,
		  struct runbook_finding *findings, size_t *ret_n);
struct runbook *runbook_free(struct runbook *runbook);

/**
 * runbook_globs_match() - do patterns select @text?
 * @steps: budget of the comparison, reduced by the steps used; 0 afterwards: it was exhausted
 *
 * "*" and "?" match anything but "/", "**" anything, [a-z] and [!a-z] one character, and "\\"
 * makes the next character literal. The last pattern that matches decides. An empty list
 * selects everything; a list with exclusions only, everything that they do not exclude.
 */
bool runbook_globs_match(const struct runbook_globs *globs, const char *text, uint64_t *steps);
/* budget for one decision: a second at most, far more than honest patterns need; without it,
 * 10,000 steps with a hundred patterns each, compared with 100,000 paths, would take days */
#define RUNBOOK_MATCH_STEPS 100000000ULL

/**
 * runbook_paths_match() - do patterns select any of @paths? Also true if that is unknown.
 * @n_paths: SIZE_MAX: unknown
 * @steps:   as above
 */
bool runbook_paths_match(const struct runbook_globs *globs, char *const *paths, size_t n_paths,
			 uint64_t *steps);

/** runbook_event_name() - name in the file: "push", "pull_request", … */
const char *runbook_event_name(enum runbook_event event);

/**
 * runbook_filter_match() - does an event start a run, by "on"?
 * @ref:     full name of a ref, or name of a branch (of a tag, for RUNBOOK_EVENT_TAG); for a
 *           pull request the branch to merge into. A push of refs/tags/… is a tag.
 * @paths:   changed paths, relative to the top of the repository
 * @n_paths: SIZE_MAX: unknown; then, and if comparing takes too long, filters of paths match
 * @why:     if the result is false: one sentence for people
 */
bool runbook_filter_match(const struct runbook *runbook, enum runbook_event event, const char *ref,
			  char *const *paths, size_t n_paths, char *why, size_t why_size);

/** struct runbook_zones - the time zones of a host, which differ from host to host */
struct runbook_zones {
	bool (*known)(const char *name);
	char *(*names)(void); /* malloc'ed, a line for each; for a hint */
};

/**
 * runbook_check_zones() - find time zones of schedules that the host does not have
 * @findings: room for RUNBOOK_FINDINGS_MAX; the unknown zones, in the order of the file
 *
 * An unknown zone does not make a runbook invalid, because another host may have it; its
 * schedule never starts a run here.
 *
 * Return: number of findings.
 */
size_t runbook_check_zones(const struct runbook *runbook, const struct runbook_zones *zones,
			   struct runbook_finding *findings);

/**
 * runbook_finding_format() - write "FILE:LINE:COLUMN: PATH: MESSAGE (FIX)", like compilers
 * @file: name to print, e.g. "runbook.yml"
 */
void runbook_finding_format(char *out, size_t size, const char *file,
			    const struct runbook_finding *finding);

#endif
