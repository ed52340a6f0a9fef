/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NAMES_H
#define COMMON_NAMES_H

/*
 * Checks of names that become file names, log fields or parts of a URL. Every
 * process re-checks what another one sent with the same functions.
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
/** artifact_key_valid() - 1-255 bytes of [A-Za-z0-9._/-], no "..", no empty part */
bool artifact_key_valid(const char *key);
/** env_name_valid() - [A-Za-z_][A-Za-z0-9_]{0,255} */
bool env_name_valid(const char *name);
/** secret_env_valid() - a value of ENV that secrets can be for: 1 to SECRET_ENV_MAX printable bytes */
bool secret_env_valid(const char *env);
/**
 * secret_name_problem() - can a secret be called @name?
 *
 * Return: NULL, or what is wrong and what to do: it must be the name of a
 * variable, and none that every step has anyway.
 */
const char *secret_name_problem(const char *name);
/** utf8_valid() - well-formed UTF-8 without NUL */
bool utf8_valid(const char *text, size_t length);
/**
 * text_printable() - a name: valid UTF-8, no control character, none that turns text around
 *
 * It may hold characters that are not seen, such as U+200B, which text_escape() shows.
 */
bool text_printable(const char *text);
/** text_problem() - why text_printable() says no: "a control character"; NULL when it says yes */
const char *text_problem(const char *text);
/**
 * text_line_valid() - a text of others, such as a title: valid UTF-8 without control characters
 *
 * It may hold characters that turn text around as well, which text_escape() shows.
 */
bool text_line_valid(const char *text);

/**
 * text_escape() - copy @text for a terminal or a log line: control characters,
 * escapes and invalid UTF-8 become \xNN, characters that are not seen <U+202E>;
 * the result is NUL-terminated and cut at @size. Four times the length of @text
 * are enough.
 */
void text_escape(char *out, size_t size, const char *text);

/** parse_duration() - "90", "90s", "15m", "1h30m", "2d" to seconds. Return: 0, -EINVAL, -ERANGE. */
int parse_duration(const char *text, uint64_t *ret_seconds);
/** parse_size() - "512M", "1G", "10K", "4096" (binary units) to bytes. Return: as above. */
int parse_size(const char *text, uint64_t *ret_bytes);
/** parse_cpus() - "1.5" to milli-processors (1500). Return: as above. */
int parse_cpus(const char *text, uint64_t *ret_milli);

/** hex_digit() - value of a hexadecimal digit of either case, -1 for another character */
int hex_digit(char c);

/** text_bytes() - "512M", "1536K", "10": the shortest exact binary unit */
void text_bytes(char *out, size_t size, uint64_t bytes);
/** text_duration() - "5s", "1m30s", "2h", "250ms" */
void text_duration(char *out, size_t size, uint64_t msec);

#endif
