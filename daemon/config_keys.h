/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CONFIG_KEYS_H
#define DAEMON_CONFIG_KEYS_H

/*
 * DOC: Keys of the configuration files
 *
 * A key is a line in one of two tables: where its value is stored, which function parses
 * it, and its bounds. Everything else is made from that: section and key checks, hints for
 * misspelled names, and errors with file and line. Only config.c uses this; a new key is
 * a new line in config_keys.c and a member of struct config or config_project.
 */

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct config_key;

/**
 * config_key_fn - parse @value and store it in @field
 * @again: the field has a value from this same file already (lists append then)
 *
 * Return: 0, or -errno with @error, a sentence without file and line.
 */
typedef int (*config_key_fn)(const struct config_key *key, void *field, const char *value,
			     int again, struct error *error);

/** struct config_key - one line of the table */
struct config_key {
	const char *section;
	const char *name;
	config_key_fn set;
	size_t offset; /* of the field in struct config or struct config_project */
	uint64_t minimum, maximum;
	int list; /* 1: the key may stand several times in a file */
};

/** struct config_schema - the keys of one kind of file */
struct config_schema {
	const struct config_key *keys;
	size_t n_keys;
};

extern const struct config_schema config_schema_main;
extern const struct config_schema config_schema_project;

/**
 * config_schema_parse() - parse @text into @object by @schema
 *
 * @object: a struct config or struct config_project, as @schema expects
 *
 * Return: 0; -EINVAL with @error "FILE:LINE: what is wrong, and the fix"; -ENOMEM.
 */
int config_schema_parse(const struct config_schema *schema, void *object, const char *file,
			const char *text, size_t size, struct error *error);

#endif
