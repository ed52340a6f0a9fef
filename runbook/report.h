/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_REPORT_H
#define RUNBOOK_REPORT_H

/*
 * DOC: Findings about values
 *
 * Checks and sentences that the readers of all keys share: a value of the wrong type, an
 * unknown word, text that is empty, too long or on several lines. Each finding is added to
 * draft->findings with a fix.
 */

#include "runbook/schema.h"

/** struct subject - a key's name in quotes, for report_type() */
struct subject {
	char text[64];
};
/** subject_of() - returns by value, so that SUBJECT() can be an argument of printf() */
struct subject subject_of(const struct schema_key *key);
#define SUBJECT(key) (subject_of(key).text)

/** node_is_scalar() - is it neither list nor map? */
bool node_is_scalar(const struct node *node);

/** node_get() - value of the key @name of a map, or NULL */
const struct node *node_get(const struct node *map, const char *name);

/** report_type() - report "KEY must be WANTED, but is …" with a fix for the value */
void report_type(struct draft *draft, const char *subject, const char *wanted, const char *format,
		 const struct node *node, const struct node_path *path);

/** report_unknown_word() - report "unknown WHAT …" with the nearest of @words, or all of them */
void report_unknown_word(struct draft *draft, const char *what, const char *const *words,
			 size_t n_words, const char *format, const struct node *node,
			 const struct node_path *path);

/** check_text() - is @node a text, not blank, of at most key->max bytes? Reports it if not. */
bool check_text(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path);

/** check_line() - the same, also without control characters */
bool check_line(struct draft *draft, const struct schema_key *key, const struct node *node,
		const struct node_path *path);

/** check_env_name() - is @name valid for a variable? Reports it if not. */
bool check_env_name(struct draft *draft, const struct node *name, const struct node_path *path);

/** text_store() - store a copy of @node's text in the char * at @target. 0 or -ENOMEM. */
int text_store(const struct node *node, void *target);

#endif
