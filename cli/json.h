/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

/* Getters that take an answer as it comes: what is absent or of another type is "" or 0. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static inline void json_cleanup_fn(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_cleanup_fn)))

static inline const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline uint64_t json_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

static inline bool json_has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

/* A terminal would obey what names have of direction and would not show what they have without
 * width: it gets escapes, which mean the same. */
static inline size_t json_print_flags(void)
{
	return isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0;
}

/** json_print() - indented, with a newline, to stdout */
static inline void json_print(const json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_INDENT(2) | json_print_flags());
	(void)putchar('\n');
}

/** json_print_line() - one line, for streams of objects */
static inline void json_print_line(const json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_COMPACT | json_print_flags());
	(void)putchar('\n');
	(void)fflush(stdout);
}

#endif
