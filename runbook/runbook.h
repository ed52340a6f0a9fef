/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_RUNBOOK_H
#define RUNBOOK_RUNBOOK_H

/*
 * DOC: The language
 *
 * runbook_parse() turns the bytes of a runbook.yml into a checked structure, or
 * into a list of findings with places. No I/O, no globals, no clock. The keys
 * are one table in schema.c: type, limits, default and help of each, from which
 * parsing, the nearest-key hint and the documentation all come.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct runbook_place - where in the file, both from 1; 0 when the place is the whole file */
struct runbook_place {
	unsigned line;
	unsigned column;
};

/** struct runbook_finding - one thing that is wrong, and its fix */
struct runbook_finding {
	struct runbook_place place;
	char path[256];	   /* "steps[3].depends_on[0]" */
	char message[512]; /* "unknown key "comand"" */
	char fix[256];	   /* "did you mean "command"?", may be "" */
};

#define RUNBOOK_FINDINGS_MAX 50

struct runbook_env {
	char *name;
	char *value;
};

/** struct runbook_resources - hard limits; 0 is "not given" */
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
	bool given; /* the event starts runs; without "on": push, pull_request and manual do */
	struct runbook_globs branches, tags, paths;
};

/** struct runbook_schedule - one entry of "on.schedule"; cron_parse() reads the first */
struct runbook_schedule {
	char *cron;
	char *timezone; /* NULL: UTC */
	struct runbook_place timezone_place;
	char *branch; /* NULL: the default branch */
};

#define RUNBOOK_WHEN_SUCCESS (1U << 0) /* all dependencies have succeeded, or may fail */
#define RUNBOOK_WHEN_FAILURE (1U << 1) /* a step above has failed, and may not */

/** struct runbook_when - conditions of a step; all of them must hold */
struct runbook_when {
	unsigned statuses; /* RUNBOOK_WHEN_*, never 0 */
	unsigned events;   /* 1 << enum runbook_event; 0: any */
	struct runbook_globs branches, paths;
};

/** struct runbook_matrix - instances of one step; neighbours in runbook.steps */
struct runbook_matrix {
	char *name; /* as the step is called in the file; depends_on may name it */
	size_t first, n_steps;
	uint64_t limit; /* instances that may run at once; 0: any number */
	bool fail_fast; /* the first that fails cancels the others */
};

struct runbook_step {
	char *name;		      /* of an instance of a matrix: "NAME (a=1, b=2)" */
	char slug[STEP_SLUG_MAX + 1]; /* unique in the runbook; file name of the log */
	char *command;
	size_t *depends_on; /* indexes into runbook.steps */
	size_t n_depends_on;
	struct runbook_env *env; /* the matrix's values, then the step's own; without global.env */
	size_t n_env;
	char *image; /* effective: step, else global, else "host" */
	enum step_network network;
	bool network_given; /* the file says so itself; otherwise the configured default rules */
	struct runbook_resources resources;
	uint64_t timeout_sec; /* effective; 0 when neither step nor global says */
	char *shell;	      /* effective; NULL: bash -eo pipefail, or sh -e */
	struct runbook_when when;
	uint64_t attempts; /* effective, from 1 */
	bool allow_failure;
	bool interruptible;
	bool tty;
	char *user;    /* effective: a name or UID[:GID]; NULL: the image's */
	char *workdir; /* effective, absolute; NULL: the image's, or the workspace */
	char **labels; /* effective; a host must have them all */
	size_t n_labels;
	size_t matrix; /* index into runbook.matrices, or SIZE_MAX */
	struct runbook_place place;
};

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
	bool schedules_listed;	    /* "on.schedule" is a list, as its paths say then */
	int64_t priority;	    /* -100 to 100 */
	char *concurrency_group;    /* may hold {{ ref }}, {{ branch }}, {{ event }}; NULL: none */
	uint64_t concurrency_limit; /* runs of the group at once, from 1 */
	bool cancel_superseded;	    /* a new run of the group cancels those before it */
	uint64_t timeout_sec;	    /* of the whole run; 0: none */
	uint64_t queue_timeout_sec; /* how long a ready step may wait; 0: any time */
	struct runbook_matrix *matrices;
	size_t n_matrices;
};

/**
 * runbook_parse() - parse and check
 * @data, @size:  the file's bytes; any bytes at all
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
 * runbook_globs_match() - do patterns choose @text?
 *
 * "*" and "?" stand for anything but "/", "**" for anything, [a-z] and [!a-z] for one
 * character, "\\" takes the next one literally. The last pattern that matches decides. An
 * empty list chooses everything; a list of exclusions only, everything they leave.
 * @steps: how many steps the comparison may take; what is left comes back, 0: it was given up
 */
bool runbook_globs_match(const struct runbook_globs *globs, const char *text, uint64_t *steps);
/* steps that whoever decides about a run gives: a second at most, far more than honest patterns
 * need; 10,000 steps with a hundred of them each could be compared with 100,000 paths for days */
#define RUNBOOK_MATCH_STEPS 100000000ULL

/**
 * runbook_paths_match() - do patterns choose one of @paths? Yes when nobody can say.
 * @n_paths: SIZE_MAX: unknown
 * @steps:   as above; 0 comes back when comparing took too long
 */
bool runbook_paths_match(const struct runbook_globs *globs, char *const *paths, size_t n_paths,
			 uint64_t *steps);

/** runbook_event_name() - "push", "pull_request", …: as in the file */
const char *runbook_event_name(enum runbook_event event);

/**
 * runbook_filter_match() - does "on" let an event start a run?
 * @ref:     full name of a ref, or a branch's (a tag's, for RUNBOOK_EVENT_TAG); of a pull
 *           request the branch it goes to. A push of refs/tags/… is a tag.
 * @paths:   changed paths, relative to the top of the repository
 * @n_paths: SIZE_MAX: unknown, then filters of paths let everything through, and so they do
 *           when comparing takes too long
 * @why:     on false: one sentence for people
 */
bool runbook_filter_match(const struct runbook *runbook, enum runbook_event event, const char *ref,
			  char *const *paths, size_t n_paths, char *why, size_t why_size);

/** struct runbook_zones - what a host knows of time zones; the language does not know them */
struct runbook_zones {
	bool (*known)(const char *name);
	char *(*names)(void); /* malloc'ed, each with a newline behind it; for a hint */
};

/**
 * runbook_check_zones() - does the host know the time zones of the schedules?
 * @findings: room for RUNBOOK_FINDINGS_MAX; what is unknown, in the order of the file
 *
 * A zone that is unknown makes no runbook invalid, because another host may know it; its
 * schedule never starts a run here.
 *
 * Return: number of findings.
 */
size_t runbook_check_zones(const struct runbook *runbook, const struct runbook_zones *zones,
			   struct runbook_finding *findings);

/**
 * runbook_finding_format() - "FILE:LINE:COLUMN: PATH: MESSAGE (FIX)" as compilers write it
 * @file: name to print, e.g. "runbook.yml"
 */
void runbook_finding_format(char *out, size_t size, const char *file,
			    const struct runbook_finding *finding);

#endif
