/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

/*
 * DOC: Reading answers of the api
 *
 * Commands use an answer as it arrives, without validating it as a whole. These getters
 * return "" or 0 for a member that is absent or has another type.
 */

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

/** json_text() - the string @key of @object, or "" */
static inline const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/** json_number() - the positive integer @key of @object, or 0 */
static inline uint64_t json_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

/** json_has() - does @object have a member @key that is not null? */
static inline bool json_has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

/*
 * A terminal would obey characters that change the direction of text, and would not show those
 * without width. It gets them as JSON escapes, which mean the same.
 */
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
