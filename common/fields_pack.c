/* SPDX-License-Identifier: Apache-2.0 */

/* The writing half. runbook-init links it, too, so it needs only memcpy() and strlen(). */

#include "common/fields_format.h"

#include <string.h>

struct writer {
	uint8_t *out;
	size_t room, used; /* .used may exceed .room: it counts all bytes */
};

static void put(struct writer *writer, const void *data, size_t size)
{
	if (size > 0 && writer->used + size <= writer->room)
		memcpy(writer->out + writer->used, data, size);
	writer->used += size;
}

/* Overwrites bytes @at, whose value was unknown before. */
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

/* Bytes of @text to write: a sentence that is too long is cut between two characters. */
static size_t string_size(const struct field *field, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	if (!(field->flags & FIELD_CUT) || size <= field->most)
		return size;
	for (size = field->most; size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

static void put_string(struct writer *writer, const struct field *field, const char *text)
{
	put(writer, text, string_size(field, text));
	put(writer, "", 1);
}

static void pack_record(struct writer *writer, const struct field_table *table, const char *object);

static void pack_list(struct writer *writer, const struct field *field, const char *object)
{
	struct field_entry entry = {.tag = 1, .type = FIELD_TYPE_RECORD};
	const char *element = *(const char *const *)(const void *)(object + field->offset);
	size_t n = *(const size_t *)(const void *)(object + field->counter);

	for (; n > 0; n--, element += field->record->size) {
		size_t begin = writer->used;

		put(writer, &entry, sizeof(entry));
		pack_record(writer, field->record, element);
		entry.length = (uint32_t)(writer->used - begin - sizeof(entry));
		put_at(writer, begin, &entry, sizeof(entry));
	}
}

/* Writes element @k of @field. */
static void pack_element(struct writer *writer, const struct field *field, const char *object,
			 uint32_t k)
{
	const char *at = object + field->offset + (size_t)k * field->stride;
	struct field_entry entry = {.tag = field->tag,
				    .type = field_written_type(field->type),
				    .flags = field->flags & FIELD_WRITTEN};
	const struct field_blob *blob = (const struct field_blob *)(const void *)at;
	size_t begin = writer->used;

	put(writer, &entry, sizeof(entry));
	switch (field->type) {
	case FIELD_TYPE_RECORD:
		pack_record(writer, field->record, at);
		break;
	case FIELD_TYPE_BLOB:
		put(writer, blob->data, blob->size);
		break;
	case FIELD_TYPE_STRING:
		put_string(writer, field, *(const char *const *)(const void *)at);
		break;
	case FIELD_TYPE_LIST:
		pack_list(writer, field, object);
		break;
	case FIELD_TYPE_FD:
		put(writer, *(const int *)(const void *)at > 0 ? "\1" : "", 1);
		break;
	case FIELD_TYPE_TEXT:
		put(writer, at, text_size(at, field->size));
		break;
	default:
		put(writer, at, field->size);
	}
	entry.length = (uint32_t)(writer->used - begin - sizeof(entry));
	put_at(writer, begin, &entry, sizeof(entry));
}

static void pack_record(struct writer *writer, const struct field_table *table, const char *object)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		for (uint32_t k = 0; k < table->fields[i].count; k++)
			pack_element(writer, &table->fields[i], object, k);
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
