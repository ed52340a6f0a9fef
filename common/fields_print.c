/* SPDX-License-Identifier: Apache-2.0 */

/* Fields for people and for golden files, and whether a table is one. */

#include "common/fields.h"

#include <inttypes.h>
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
			/* elements follow each other */
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
