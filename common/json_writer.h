/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_JSON_WRITER_H
#define COMMON_JSON_WRITER_H

/*
 * DOC: Writing JSON
 *
 * Values are written in order into one buffer, without an object for each: a response about ten
 * thousand steps must not delay the event loop. Failures are sticky: write everything, then
 * check @failed once.
 *
 * The caller balances brackets and passes a key exactly where an object is open. Times are
 * integers in keys that end in _usec; an absent value is null.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** struct json - a document being written; zeroed memory is an empty one */
struct json {
	char *text; /* malloc'ed, NUL-terminated */
	size_t length, room;
	bool comma;  /* the next value needs a comma before it */
	bool line;   /* the next value needs a line break before it */
	bool failed; /* out of memory */
};

/** json_clear() - release the buffer; usable as a cleanup attribute */
void json_clear(struct json *json);
#define cleanup_json __attribute__((cleanup(json_clear)))

/*
 * json_open(), json_close() - begin and end an array or an object
 * @key:     of the member; NULL inside an array and at the top
 * @bracket: '{' or '[', '}' or ']'
 */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
/** json_raw() - write @length bytes that are JSON already, as one value */
void json_raw(struct json *json, const char *key, const char *text, size_t length);

/**
 * json_text() - write a string; NULL is null
 *
 * Text that is not valid UTF-8 is written as text_escape() shows it, so that the result is JSON.
 */
void json_text(struct json *json, const char *key, const char *text);
/** json_number(), json_signed() - write an integer */
void json_number(struct json *json, const char *key, uint64_t number);
void json_signed(struct json *json, const char *key, int64_t number);
/** json_number_or_null() - write an integer, and null for 0 */
void json_number_or_null(struct json *json, const char *key, uint64_t number);
/** json_bool() - write true or false */
void json_bool(struct json *json, const char *key, bool value);

/** json_line() - put the next value on a line of its own, indented, or the next bracket */
void json_line(struct json *json);
/**
 * json_take() - hand the document over; @json is empty afterwards
 *
 * Return: text to be freed by the caller, with its length in *@ret_size; NULL if out of memory.
 */
char *json_take(struct json *json, size_t *ret_size);
/** json_print() - print the document and a line break, and release it. Return: 0 or -ENOMEM. */
int json_print(struct json *json, FILE *out);

#endif
