/* SPDX-License-Identifier: Apache-2.0 */

/* Printing of fields for people and golden files, and the check of a table. */

#include "common/fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool zero(const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != 0)
			return false;
	}
	return true;
}

static void print_bytes(const void *data, size_t size, FILE *out)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", bytes[i]);
}

static void print_number(const struct field *field, const char *at, FILE *out)
{
	uint64_t bits = 0;
	unsigned unused = field->size < 8 && field->size > 0 ? 64 - 8 * field->size : 0;

	memcpy(&bits, at, field->size);
	if (field->type == FIELD_TYPE_INT)
		fprintf(out, "%" PRId64, (int64_t)(bits << unused) >> unused);
	else
		fprintf(out, "%" PRIu64, bits);
}

static void print_record(const struct field_table *table, const char *object, const char *prefix,
			 unsigned depth, FILE *out);

static void print_element(const struct field *field, const char *at, const char *name,
			  unsigned depth, FILE *out)
{
	const struct field_blob *blob = (const struct field_blob *)(const void *)at;
	char prefix[256];

	if (field->type == FIELD_TYPE_RECORD) {
		(void)snprintf(prefix, sizeof(prefix), "%s.", name);
		if (depth < FIELDS_DEPTH_MAX)
			print_record(field->record, at, prefix, depth + 1, out);
		return;
	}
	if (field->type == FIELD_TYPE_BLOB ? blob->size == 0 : zero(at, field->size))
		return;
	fprintf(out, "%s: ", name);
	if (field->type == FIELD_TYPE_TEXT)
		fprintf(out, "\"%.*s\"", (int)strnlen(at, field->size), at);
	else if (field->type == FIELD_TYPE_BLOB)
		print_bytes(blob->data, blob->size, out);
	else if (field->type == FIELD_TYPE_BYTES)
		print_bytes(at, field->size, out);
	else
		print_number(field, at, out);
	fputc('\n', out);
}

static void print_record(const struct field_table *table, const char *object, const char *prefix,
			 unsigned depth, FILE *out)
{
	char name[256];

	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];

		for (uint32_t k = 0; k < field->count; k++) {
			if (field->count == 1)
				(void)snprintf(name, sizeof(name), "%s%s", prefix, field->name);
			else
				(void)snprintf(name, sizeof(name), "%s%s[%" PRIu32 "]", prefix,
					       field->name, k);
			print_element(field, object + field->offset + (size_t)k * field->stride,
				      name, depth, out);
		}
	}
}

void fields_print(const struct field_table *table, const void *object, FILE *out)
{
	print_record(table, object, "", 0, out);
}

/* ---- one line for a log ---- */

struct line {
	char *out;
	size_t size, used; /* .size includes the NUL */
};

static void line_add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void line_add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line->out + line->used, line->size - line->used, format, arguments);
	va_end(arguments);
	if (n > 0)
		line->used += (size_t)n < line->size - line->used ? (size_t)n
								  : line->size - line->used - 1;
}

static void line_text(struct line *line, const char *text, size_t size)
{
	line_add(line, "\"");
	for (size_t i = 0; i < size && line->used + 1 < line->size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\')
			line_add(line, "\\x%02x", byte);
		else
			line_add(line, "%c", byte);
	}
	line_add(line, "\"");
}

static void line_record(struct line *line, const struct field_table *table, const char *object,
			unsigned depth);

static void line_list(struct line *line, const struct field *field, const char *object,
		      unsigned depth)
{
	const char *element = *(const char *const *)(const void *)(object + field->offset);
	size_t n = *(const size_t *)(const void *)(object + field->counter);

	line_add(line, "[");
	for (size_t i = 0; i < n && depth < FIELDS_DEPTH_MAX; i++) {
		line_add(line, i > 0 ? " {" : "{");
		line_record(line, field->record, element + i * field->record->size, depth + 1);
		line_add(line, "}");
	}
	line_add(line, "]");
}

static void line_number(struct line *line, const struct field *field, const char *at)
{
	uint64_t bits = 0;

	memcpy(&bits, at, field->size);
	line_add(line, "%" PRIu64, bits);
}

static void line_value(struct line *line, const struct field *field, const char *object,
		       const char *at, unsigned depth)
{
	const struct field_blob *blob = (const struct field_blob *)(const void *)at;
	const char *text =
		field->type == FIELD_TYPE_STRING ? *(const char *const *)(const void *)at : at;

	if (field->type == FIELD_TYPE_BLOB)
		line_add(line, "<%zu bytes>", blob->size);
	else if (field->type == FIELD_TYPE_FD)
		line_add(line, *(const int *)(const void *)at > 0 ? "<fd>" : "<none>");
	else if (field->type == FIELD_TYPE_LIST)
		line_list(line, field, object, depth);
	else if (field->type == FIELD_TYPE_STRING && (field->flags & FIELD_HIDDEN))
		line_add(line, "<%zu bytes>", text ? strlen(text) : 0);
	else if (field->type == FIELD_TYPE_STRING)
		line_text(line, text ? text : "", text ? strlen(text) : 0);
	else if (field->type == FIELD_TYPE_TEXT)
		line_text(line, text, strnlen(text, field->size));
	else if (field->type == FIELD_TYPE_BYTES)
		line_add(line, "<%" PRIu32 " bytes>", field->size);
	else
		line_number(line, field, at);
}

static void line_record(struct line *line, const struct field_table *table, const char *object,
			unsigned depth)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];

		for (uint32_t k = 0; k < field->count; k++) {
			const char *at = object + field->offset + (size_t)k * field->stride;

			line_add(line, "%s%s=", i + k > 0 ? " " : "", field->name);
			if (field->type == FIELD_TYPE_RECORD && depth < FIELDS_DEPTH_MAX) {
				line_add(line, "{");
				line_record(line, field->record, at, depth + 1);
				line_add(line, "}");
			} else {
				line_value(line, field, object, at, depth);
			}
		}
	}
}

void fields_line(const struct field_table *table, const void *object, char *out, size_t size)
{
	struct line line = {.out = out, .size = size};

	out[0] = '\0';
	line_record(&line, table, object, 0);
}

bool fields_sound(const struct field_table *table, size_t *ret_gaps)
{
	char *used = calloc(1, table->size ? table->size : 1);
	bool sound = used && table->n_fields <= FIELDS_PER_TABLE_MAX;

	*ret_gaps = 0;
	for (size_t i = 0; sound && i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];

		for (size_t k = 0; k < i; k++)
			sound = sound && table->fields[k].tag != field->tag;
		for (uint32_t k = 0; sound && k < field->count * field->size; k++) {
			/* adjacent elements */
			sound = field->offset + k < table->size && !used[field->offset + k];
			if (sound)
				used[field->offset + k] = 1;
		}
		sound = sound && field->tag != 0 && field->stride == field->size &&
			field->count > 0 &&
			(field->type != FIELD_TYPE_RECORD || field->record->size == field->size);
	}
	for (size_t i = 0; sound && i < table->size; i++)
		*ret_gaps += !used[i];
	free(used);
	return sound;
}
