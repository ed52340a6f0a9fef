/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

/* Words, widths and tables for people. Pure but for table_print(). */

#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define USEC_PER_MSEC 1000ULL

/** format_duration() - "0.4s", "1m 05s", "2h 03m", "3d 04h" */
void format_duration(char *out, size_t size, uint64_t usec);
/** format_age() - "just now", "12s ago", "3m ago", "5d ago", after 60 days the date */
void format_age(char *out, size_t size, uint64_t now_usec, uint64_t then_usec);
/** format_amount() - format_bytes() for narrow columns, as limits are written: "512", "1.5K", "3.0G" */
void format_amount(char *out, size_t size, uint64_t bytes);
/** format_bytes() - "512 B", "1.5 KiB", "3.0 GiB" */
void format_bytes(char *out, size_t size, uint64_t bytes);

/** text_distance() - edit distance, both cut to 63 bytes */
size_t text_distance(const char *one, const char *other);

/**
 * text_decode() - next character of UTF-8
 * @ret_code: code point, or -1 for a byte that belongs to none
 *
 * Return: bytes taken, at least 1 (the text must not be empty).
 */
size_t text_decode(const char *text, size_t length, int32_t *ret_code);
/** text_width() - columns on a terminal; SGR sequences take none */
size_t text_width(const char *text);
/**
 * text_cut() - copy @text, cut to @columns with an ellipsis where it does not fit
 * @utf8: false writes "..." for the ellipsis
 */
void text_cut(char *out, size_t size, const char *text, size_t columns, bool utf8);

/** struct text_buffer - a string that grows; zero-initialised, text_buffer_done() it */
struct text_buffer {
	char *data;
	size_t size;
	size_t room;
	bool failed; /* out of memory: what follows was dropped */
};

void text_append(struct text_buffer *buffer, const char *data, size_t size);
void text_puts(struct text_buffer *buffer, const char *text);
void text_printf(struct text_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_buffer_done(struct text_buffer *buffer);
#define cleanup_text __attribute__((cleanup(text_buffer_done)))

/* SGR sequences; sgr() gives "" when colours are off */
#define SGR_RESET "\033[0m"
#define SGR_BOLD "\033[1m"
#define SGR_DIM "\033[2m"
#define SGR_RED "\033[31m"
#define SGR_GREEN "\033[32m"
#define SGR_YELLOW "\033[33m"
#define SGR_BLUE "\033[34m"
#define SGR_MAGENTA "\033[35m"
#define SGR_CYAN "\033[36m"

static inline const char *sgr(bool color, const char *sequence)
{
	return color ? sequence : "";
}

/** state_color() - the SGR sequence of a run's or step's state, "" for none */
const char *state_color(const char *state);
/** state_glyph() - one column: "✓" or, without UTF-8, "+" */
const char *state_glyph(const char *state, bool utf8);
/** state_final() - does nothing follow this state? */
bool state_final(const char *state);

#define TABLE_COLUMNS_MAX 12

/** struct table - cells in aligned columns; the last column is not padded or cut */
struct table {
	const char *headings[TABLE_COLUMNS_MAX];
	size_t n_columns;
	struct table_row *rows;
	size_t n_rows;
	bool failed;
};

/** table_row() - start a row; cells that are not set stay "-" */
void table_row(struct table *table);
/** table_cell() - set a cell of the last row; control characters are escaped */
void table_cell(struct table *table, size_t column, const char *text);
void table_cellf(struct table *table, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** table_cell_color() - SGR sequence of a cell of the last row (static string) */
void table_cell_color(struct table *table, size_t column, const char *sequence);
/** table_print() - headings and rows. Return: 0 or -ENOMEM when cells got lost. */
int table_print(const struct table *table, FILE *file, bool color);
void table_done(struct table *table);
#define cleanup_table __attribute__((cleanup(table_done)))

#endif
