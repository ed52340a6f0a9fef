/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned columns. The texts of cells are not trusted, so control characters are escaped. */

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define CELL_MAX 2048

struct table_row {
	struct {
		char *text;
		const char *color;
	} cells[TABLE_COLUMNS_MAX];
};

void table_row(struct table *table)
{
	struct table_row *grown = reallocarray(table->rows, table->n_rows + 1, sizeof(*grown));

	if (!grown) {
		table->failed = true;
		return;
	}
	table->rows = grown;
	table->rows[table->n_rows++] = (struct table_row){0};
}

void table_cell(struct table *table, size_t column, const char *text)
{
	char escaped[CELL_MAX];
	char *copy;

	if (table->failed || table->n_rows == 0 || column >= table->n_columns)
		return;
	text_escape(escaped, sizeof(escaped), text);
	copy = strdup(escaped);
	if (!copy)
		table->failed = true;
	free(table->rows[table->n_rows - 1].cells[column].text);
	table->rows[table->n_rows - 1].cells[column].text = copy;
}

void table_cellf(struct table *table, size_t column, const char *format, ...)
{
	char text[CELL_MAX];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	table_cell(table, column, text);
}

void table_cell_color(struct table *table, size_t column, const char *sequence)
{
	if (!table->failed && table->n_rows > 0 && column < table->n_columns)
		table->rows[table->n_rows - 1].cells[column].color = sequence;
}

static const char *cell_text(const struct table *table, size_t row, size_t column)
{
	const char *text = table->rows[row].cells[column].text;

	return text && *text ? text : "-";
}

int table_print(const struct table *table, FILE *file, bool color)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	for (size_t column = 0; column < table->n_columns; column++) {
		widths[column] = text_width(table->headings[column]);
		for (size_t row = 0; row < table->n_rows; row++) {
			size_t width = text_width(cell_text(table, row, column));

			if (width > widths[column])
				widths[column] = width;
		}
	}
	for (size_t line = 0; line <= table->n_rows; line++) {
		for (size_t column = 0; column < table->n_columns; column++) {
			bool heading = line == 0, last = column + 1 == table->n_columns;
			const char *text = heading ? table->headings[column]
						   : cell_text(table, line - 1, column);
			const char *sequence =
				heading ? SGR_BOLD : table->rows[line - 1].cells[column].color;
			size_t pad = last ? 0 : widths[column] - text_width(text) + 2;

			(void)fprintf(file, "%s%s%s%*s", sequence ? sgr(color, sequence) : "", text,
				      sequence ? sgr(color, SGR_RESET) : "", (int)pad, "");
		}
		(void)fputc('\n', file);
	}
	return table->failed ? -ENOMEM : 0;
}

void table_done(struct table *table)
{
	for (size_t row = 0; row < table->n_rows; row++)
		for (size_t column = 0; column < TABLE_COLUMNS_MAX; column++)
			free(table->rows[row].cells[column].text);
	free(table->rows);
	table->rows = NULL;
	table->n_rows = 0;
}
