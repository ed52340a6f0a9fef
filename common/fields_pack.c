/* SPDX-License-Identifier: Apache-2.0 */

/* The writing half. runbook-init has it as well: nothing here needs more than memcpy(). */

#include "common/fields_format.h"

#include <string.h>

struct writer {
	uint8_t *out;
	size_t room, used; /* goes on counting behind the room */
};

static void put(struct writer *writer, const void *data, size_t size)
{
	if (size > 0 && writer->used + size <= writer->room)
		memcpy(writer->out + writer->used, data, size);
	writer->used += size;
}

/* What stands @at is known only now. */
static void put_at(struct writer *writer, size_t at, const void *data, size_t size)
{
	if (at + size <= writer->room)
		memcpy(writer->out + at, data, size);
}

static size_t text_size(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && text[n] != '\0')
		n++;
	return n;
}

static void pack_record(struct writer *writer, const struct field_table *table, const char *object);

static void pack_element(struct writer *writer, const struct field *field, const char *at)
{
	struct field_entry entry = {
		.tag = field->tag, .type = field_written_type(field->type), .flags = field->flags};
	const struct field_blob *blob = (const struct field_blob *)(const void *)at;
	size_t begin = writer->used;

	put(writer, &entry, sizeof(entry));
	if (field->type == FIELD_TYPE_RECORD)
		pack_record(writer, field->record, at);
	else if (field->type == FIELD_TYPE_BLOB)
		put(writer, blob->data, blob->size);
	else
		put(writer, at,
		    field->type == FIELD_TYPE_TEXT ? text_size(at, field->size) : field->size);
	entry.length = (uint32_t)(writer->used - begin - sizeof(entry));
	put_at(writer, begin, &entry, sizeof(entry));
}

static void pack_record(struct writer *writer, const struct field_table *table, const char *object)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];

		for (uint32_t k = 0; k < field->count; k++)
			pack_element(writer, field,
				     object + field->offset + (size_t)k * field->stride);
	}
}

size_t fields_pack(const struct field_table *table, const void *object, void *out, size_t room)
{
	struct writer writer = {.out = out, .room = room};

	pack_record(&writer, table, object);
	return writer.used;
}

static void layout_record(struct writer *writer, const struct field_table *table)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		struct field_place place = {
			.tag = field->tag,
			.type = field_written_type(field->type),
			.flags = field->flags,
			.offset = field->offset,
			.size = field->size,
			.count = field->count,
			.stride = field->stride,
			.counter = field->counter,
		};
		size_t begin = writer->used;

		put(writer, &place, sizeof(place));
		if (field->type == FIELD_TYPE_RECORD)
			layout_record(writer, field->record);
		place.nested = (uint32_t)(writer->used - begin - sizeof(place));
		put_at(writer, begin, &place, sizeof(place));
	}
}

size_t fields_layout(const struct field_table *table, void *out, size_t room)
{
	struct writer writer = {.out = out, .room = room};

	layout_record(&writer, table);
	return writer.used;
}
