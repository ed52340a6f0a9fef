/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_FINDINGS_H
#define RUNBOOK_FINDINGS_H

/*
 * DOC: Findings
 *
 * A finding is one problem of a runbook: its place, path, message and fix. The checks collect
 * them in an array of the caller. Nothing here fails or allocates, so a check reports a problem
 * and goes on.
 */

#include "runbook/runbook.h"

#include <stdarg.h>

/** struct findings - a collector over the caller's array of RUNBOOK_FINDINGS_MAX */
struct findings {
	struct runbook_finding *list;
	size_t n;
	size_t n_reported; /* calls of findings_add(), kept or not */
	size_t n_dropped;  /* findings after the list was full */
	struct runbook_place first_dropped;
};

/** struct node_path - one component of "steps[3].depends_on[0]"; on the stack, with a parent */
struct node_path {
	const struct node_path *parent;
	const char *key; /* NULL: an entry of a list, .index */
	size_t index;
};

/** findings_full() - is the list full? Then findings are only counted, and need no fix. */
bool findings_full(const struct findings *findings);

/**
 * findings_add() - report a problem
 * @path: of the value in the structure; may be NULL
 *
 * A second report of the same sentence at the same place (one value that is reached through
 * several aliases) is dropped.
 *
 * Return: the finding, for finding_fix(); NULL if it was dropped.
 */
struct runbook_finding *findings_add(struct findings *findings, struct runbook_place place,
				     const struct node_path *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** finding_fix() - set the fix of a finding; @finding may be NULL */
void finding_fix(struct runbook_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** findings_finish() - sort by place, and let the last one count those that were dropped */
void findings_finish(struct findings *findings);

/** node_path_format() - write @path as text, cut at @size */
void node_path_format(char *out, size_t size, const struct node_path *path);

/** struct quoted - text from a runbook, escaped and cut for a message */
struct quoted {
	char text[256];
};

/**
 * quote() - escape control characters and cut to some 60 bytes
 *
 * Returned by value, so that QUOTE() can be an argument of printf().
 */
struct quoted quote(const char *text);
#define QUOTE(string) (quote(string).text)

#endif
