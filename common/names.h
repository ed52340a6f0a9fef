/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NAMES_H
#define COMMON_NAMES_H

/*
 * DOC: Checks of names
 *
 * Names that become file names, log fields or parts of a URL are checked here. Every process
 * checks names from other processes again, with the same functions. Also here: durations, sizes
 * and their texts for people.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** project_name_valid() - [a-z0-9][a-z0-9._-]{0,63}, and no ".." */
bool project_name_valid(const char *name);
/** step_slug_valid() - [A-Za-z0-9._-]{1,80}, not starting with '.' */
bool step_slug_valid(const char *slug);
/** commit_valid() - 40 or 64 lower-case hex digits */
bool commit_valid(const char *commit);
/** ref_name_valid() - as git-check-ref-format(1) for a full ref ("refs/heads/main") */
bool ref_name_valid(const char *ref);
/** artifact_key_valid() - 1-255 bytes of [A-Za-z0-9._/-], no "..", no empty component */
bool artifact_key_valid(const char *key);
/** env_name_valid() - [A-Za-z_][A-Za-z0-9_]{0,255} */
bool env_name_valid(const char *name);
/** secret_env_valid() - a value of ENV with secrets of its own: 1-SECRET_ENV_MAX printable bytes */
bool secret_env_valid(const char *env);
/**
 * secret_name_problem() - check the name of a secret
 *
 * It must be the name of a variable, but not of one that every step has. Return: NULL if it is
 * valid, else a sentence with the problem and the fix.
 */
const char *secret_name_problem(const char *name);
/** utf8_valid() - is @text well-formed UTF-8 without NUL? */
bool utf8_valid(const char *text, size_t length);
/**
 * text_printable() - fit for a name: valid UTF-8 without control and bidirectional characters?
 *
 * It may contain invisible characters, such as U+200B, which text_escape() shows.
 */
bool text_printable(const char *text);
/** text_problem() - why text_printable() is false: "a control character"; NULL if it is true */
const char *text_problem(const char *text);
/**
 * text_line_valid() - fit for a foreign text, such as a title: UTF-8 without control characters?
 *
 * Unlike text_printable() it allows bidirectional characters, which text_escape() shows.
 */
bool text_line_valid(const char *text);

/**
 * text_escape() - copy @text for a terminal or a log line
 * @size: bytes at @out; four times the length of @text is always enough
 *
 * Control characters, escapes and invalid UTF-8 become \xNN, invisible characters <U+202E>. The
 * result is NUL-terminated, and cut if it does not fit.
 */
void text_escape(char *out, size_t size, const char *text);

/** parse_duration() - "90", "90s", "15m", "1h30m", "2d" to seconds. Return: 0, -EINVAL, -ERANGE. */
int parse_duration(const char *text, uint64_t *ret_seconds);
/** parse_size() - "512M", "1G", "10K", "4096" (binary units) to bytes. Return: as above. */
int parse_size(const char *text, uint64_t *ret_bytes);
/** parse_cpus() - "1.5" to milli-processors (1500). Return: as above. */
int parse_cpus(const char *text, uint64_t *ret_milli);

/** hex_digit() - value of a hexadecimal digit of either case, -1 for any other character */
int hex_digit(char c);

/** text_bytes() - "512M", "1536K", "10": the shortest exact binary unit */
void text_bytes(char *out, size_t size, uint64_t bytes);
/** text_duration() - "5s", "1m30s", "2h", "250ms" */
void text_duration(char *out, size_t size, uint64_t msec);

#endif
