/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_FINDINGS_H
#define RUNBOOK_FINDINGS_H

/*
 * Collecting what is wrong with a runbook: places, paths, messages and fixes.
 * Nothing here fails or allocates, so checks can report and go on.
 */

#include "runbook/runbook.h"

#include <stdarg.h>

/** struct findings - a collector over the caller's array of RUNBOOK_FINDINGS_MAX */
struct findings {
	struct runbook_finding *list;
	size_t n;
	size_t n_reported; /* calls of findings_add(), kept or not */
	size_t n_dropped;  /* found when the list was full */
	struct runbook_place first_dropped;
};

/** struct node_path - one part of "steps[3].depends_on[0]", linked to its parent on the stack */
struct node_path {
	const struct node_path *parent;
	const char *key; /* NULL: @index counts */
	size_t index;
};

/** findings_full() - is what comes now only counted? Then nobody needs to know what was meant. */
bool findings_full(const struct findings *findings);

/**
 * findings_add() - report a problem
 * @path: where in the structure; may be NULL
 *
 * A second report of the same sentence at the same place (one value that is
 * reached through several aliases) is not kept.
 *
 * Return: the finding, for finding_fix(), or NULL when it was not kept.
 */
struct runbook_finding *findings_add(struct findings *findings, struct runbook_place place,
				     const struct node_path *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** finding_fix() - say how to fix it; @finding may be NULL */
void finding_fix(struct runbook_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** findings_finish() - sort by place, and say in the last one how many had no room */
void findings_finish(struct findings *findings);

/** node_path_format() - write @path as people read it; cut at @size */
void node_path_format(char *out, size_t size, const struct node_path *path);

/** struct quoted - text from a runbook, made safe and short for a message */
struct quoted {
	char text[256];
};

/**
 * quote() - escape control characters and cut to some 60 bytes
 *
 * Returned by value, so that QUOTE() can stand among printf's arguments.
 */
struct quoted quote(const char *text);
#define QUOTE(string) (quote(string).text)

#endif
