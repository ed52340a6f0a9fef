/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_SCHEMA_JSON_H
#define RUNBOOK_SCHEMA_JSON_H

/*
 * DOC: The JSON Schema
 *
 * Editors complete and check a runbook.yml with this schema, which is written from the table of
 * keys (schema.h). packaging/runbook.schema.json is a copy.
 */

struct schema_key;

/**
 * runbook_schema_json() - write the JSON Schema (draft 2020-12) of runbook.yml
 *
 * Return: malloc'ed text with a newline at its end; NULL if out of memory.
 */
char *runbook_schema_json(void);

/** schema_shape() - the schema of @key's value, JSON with holes; NULL: none */
const char *schema_shape(const struct schema_key *key);

#endif
