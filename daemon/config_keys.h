/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CONFIG_KEYS_H
#define DAEMON_CONFIG_KEYS_H

/* The keys of the configuration files, shared by the config files only. */

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct config_key;

/**
 * config_key_fn - store @value into @field
 * @again: the field holds a value from this very file (lists append then)
 *
 * Return: 0, or -errno with @error a sentence without file and line.
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
	int list; /* several lines are fine */
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
 * Return: 0; -EINVAL with @error "FILE:LINE: what is wrong, and the fix".
 */
int config_schema_parse(const struct config_schema *schema, void *object, const char *file,
			const char *text, size_t size, struct error *error);

#endif
