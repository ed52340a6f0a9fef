/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_JSON_WRITER_H
#define COMMON_JSON_WRITER_H

/*
 * DOC: Writing JSON
 *
 * Straight into one buffer, in order: an answer about ten thousand steps must
 * not hold up the loop with as many little objects. Failures are sticky, as in
 * struct message: write everything, then look at the result once.
 *
 * Times are integers in keys that end in _usec; what is absent is null.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	char *text; /* malloc'ed, NUL-terminated */
	size_t length, room;
	bool comma;  /* the next value needs one before it */
	bool failed; /* out of memory */
};

/** json_clear() - release the buffer; usable as a cleanup attribute */
void json_clear(struct json *json);
#define cleanup_json __attribute__((cleanup(json_clear)))

/* Structure. @key is NULL inside a list and at the top. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);		  /* '}' or ']' */
/** json_raw() - @length bytes that are JSON already */
void json_raw(struct json *json, const char *key, const char *text, size_t length);

/* Values. */
void json_text(struct json *json, const char *key, const char *text); /* NULL is null */
void json_number(struct json *json, const char *key, uint64_t number);
void json_signed(struct json *json, const char *key, int64_t number);
void json_number_or_null(struct json *json, const char *key, uint64_t number); /* 0 is null */
void json_bool(struct json *json, const char *key, bool value);

#endif
