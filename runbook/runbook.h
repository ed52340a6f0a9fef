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
#include "common/message_table.h"

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

struct runbook_step {
	char *name;
	char slug[STEP_SLUG_MAX + 1]; /* unique in the runbook; file name of the log */
	char *command;
	size_t *depends_on; /* indexes into runbook.steps */
	size_t n_depends_on;
	struct runbook_env *env; /* the step's own, without global.env */
	size_t n_env;
	char *image; /* effective: step, else global, else "host" */
	enum step_network network;
	bool network_given; /* the file says so itself; otherwise the configured default rules */
	struct runbook_resources resources;
	uint64_t timeout_sec; /* effective; 0 when neither step nor global says */
	char *shell;	      /* effective; NULL: bash -eo pipefail, or sh -e */
	struct runbook_place place;
};

struct runbook {
	char *name;		 /* may be NULL */
	struct runbook_env *env; /* global.env */
	size_t n_env;
	struct runbook_step *steps;
	size_t n_steps;
	size_t *order; /* a topological order of step indexes, n_steps long */
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
 * runbook_finding_format() - "FILE:LINE:COLUMN: PATH: MESSAGE (FIX)" as compilers write it
 * @file: name to print, e.g. "runbook.yml"
 */
void runbook_finding_format(char *out, size_t size, const char *file,
			    const struct runbook_finding *finding);

/**
 * runbook_graph_dot() / runbook_graph_text() - the DAG for people; malloc'ed, NULL when out
 * of memory. graph_text draws levels, one step a line with its dependencies.
 */
char *runbook_graph_dot(const struct runbook *runbook);
char *runbook_graph_text(const struct runbook *runbook);

#endif
