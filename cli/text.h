/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

/*
 * DOC: Text for people
 *
 * Durations, sizes, widths of UTF-8 text on a terminal, growing strings, colours of states,
 * and tables with aligned columns. Only table_print() has side effects. Lack of memory is
 * recorded in the object (.failed), so callers check once at the end.
 */

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
/** format_amount() - the short form for narrow columns, as in limits: "512", "1.5K", "3.0G" */
void format_amount(char *out, size_t size, uint64_t bytes);
/** format_bytes() - "512 B", "1.5 KiB", "3.0 GiB" */
void format_bytes(char *out, size_t size, uint64_t bytes);

/** text_distance() - edit distance of two texts, of which only the first 63 bytes count */
size_t text_distance(const char *one, const char *other);

/**
 * text_decode() - decode the next character of UTF-8
 * @text:     not empty
 * @ret_code: code point, or -1 for an invalid byte
 *
 * Return: number of its bytes, at least 1.
 */
size_t text_decode(const char *text, size_t length, int32_t *ret_code);
/** text_width() - columns on a terminal; SGR sequences have none */
size_t text_width(const char *text);
/**
 * text_cut() - copy @text; if it is wider than @columns, cut it and append an ellipsis
 * @utf8: false writes "..." for the ellipsis
 */
void text_cut(char *out, size_t size, const char *text, size_t columns, bool utf8);

/** struct text_buffer - a growing string; zero-initialised, freed with text_buffer_done() */
struct text_buffer {
	char *data;
	size_t size;
	size_t room;
	bool failed; /* out of memory: the rest was dropped */
};

/** text_append() - append @size bytes */
void text_append(struct text_buffer *buffer, const char *data, size_t size);
/** text_puts() - append a string */
void text_puts(struct text_buffer *buffer, const char *text);
/** text_printf() - append formatted text */
void text_printf(struct text_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** text_buffer_done() - free the string; the buffer is empty afterwards */
void text_buffer_done(struct text_buffer *buffer);
#define cleanup_text __attribute__((cleanup(text_buffer_done)))

/* SGR sequences */
#define SGR_RESET "\033[0m"
#define SGR_BOLD "\033[1m"
#define SGR_DIM "\033[2m"
#define SGR_RED "\033[31m"
#define SGR_GREEN "\033[32m"
#define SGR_YELLOW "\033[33m"
#define SGR_BLUE "\033[34m"
#define SGR_MAGENTA "\033[35m"
#define SGR_CYAN "\033[36m"

/** sgr() - @sequence, or "" when colours are off */
static inline const char *sgr(bool color, const char *sequence)
{
	return color ? sequence : "";
}

/** state_color() - the SGR sequence for the state of a run or step, "" for none */
const char *state_color(const char *state);
/** state_glyph() - one column: "✓" or, without UTF-8, "+" */
const char *state_glyph(const char *state, bool utf8);
/** state_final() - is @state the last one of a run or step, unless it is retried? */
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

/** table_row() - start a row, in which all cells are "-" */
void table_row(struct table *table);
/** table_cell() - set a cell of the last row; control characters are escaped */
void table_cell(struct table *table, size_t column, const char *text);
/** table_cellf() - set a cell of the last row to formatted text */
void table_cellf(struct table *table, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** table_cell_color() - set the SGR sequence (static string) of a cell of the last row */
void table_cell_color(struct table *table, size_t column, const char *sequence);
/** table_print() - print headings and rows. Return: 0, or -ENOMEM when cells are missing. */
int table_print(const struct table *table, FILE *file, bool color);
/** table_done() - free the rows */
void table_done(struct table *table);
#define cleanup_table __attribute__((cleanup(table_done)))

#endif
