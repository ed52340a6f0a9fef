/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_SCHEMA_JSON_H
#define RUNBOOK_SCHEMA_JSON_H

struct schema_key;

/**
 * runbook_schema_json() - the JSON Schema (draft 2020-12) of runbook.yml
 *
 * Return: malloc'ed text with a newline at its end, or NULL.
 */
char *runbook_schema_json(void);

/** schema_shape() - what the value of @key looks like, JSON with holes; NULL: nobody has said */
const char *schema_shape(const struct schema_key *key);

#endif
