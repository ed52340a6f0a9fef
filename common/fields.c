/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fields_format.h"

#include <errno.h>
#include <string.h>

/* One element that another version wrote; a record is described by its layout or is a message. */
struct item {
	uint8_t type;
	const uint8_t *data;
	size_t size;
	const uint8_t *layout; /* NULL: a message */
	size_t layout_size;
};

static bool is_number(uint8_t type)
{
	return type == FIELD_TYPE_UINT || type == FIELD_TYPE_INT || type == FIELD_TYPE_BOOL;
}

static bool all_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != 0)
			return false;
	}
	return true;
}

static const struct field *field_find(const struct field_table *table, uint16_t tag)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		if (table->fields[i].tag == tag)
			return &table->fields[i];
	}
	return NULL;
}

/* ---- reading: one element ---- */

static int refuse(const struct field_table *table, const struct field *field, int number,
		  const char *what, struct error *error)
{
	return error_set(error, number, "%s.%s %s", table->name, field->name, what);
}

static int convert_record(const uint8_t *layout, size_t layout_size, const uint8_t *source,
			  size_t source_size, const struct field_table *table, char *object,
			  unsigned depth, struct error *error);
static int unpack_record(const struct field_table *table, const uint8_t *data, size_t size,
			 char *object, unsigned depth, struct error *error);

/* Return: false if it is not a number of 1, 2, 4 or 8 bytes. */
static bool number_read(const struct item *item, uint64_t *ret_bits, bool *ret_negative)
{
	uint8_t one;
	uint16_t two;
	uint32_t four;

	switch (item->size) {
	case 1:
		memcpy(&one, item->data, 1);
		*ret_bits = item->type == FIELD_TYPE_INT ? (uint64_t)(int8_t)one : one;
		break;
	case 2:
		memcpy(&two, item->data, 2);
		*ret_bits = item->type == FIELD_TYPE_INT ? (uint64_t)(int16_t)two : two;
		break;
	case 4:
		memcpy(&four, item->data, 4);
		*ret_bits = item->type == FIELD_TYPE_INT ? (uint64_t)(int32_t)four : four;
		break;
	case 8:
		memcpy(ret_bits, item->data, 8);
		break;
	default:
		return false;
	}
	*ret_negative = item->type == FIELD_TYPE_INT && *ret_bits >> 63;
	return true;
}

static bool number_fits(const struct field *field, uint64_t bits, bool negative)
{
	unsigned width = field->size * 8;

	if (field->type == FIELD_TYPE_INT)
		return negative ? bits >= ~0ULL << (width - 1) : bits >> (width - 1) == 0;
	return !negative && (width == 64 || bits >> width == 0);
}

static int number_set(const struct field_table *table, const struct field *field, char *at,
		      const struct item *item, struct error *error)
{
	bool negative;
	uint64_t bits;

	if (!number_read(item, &bits, &negative))
		return refuse(table, field, EBADMSG, "has a size that numbers do not have", error);
	if (field->type == FIELD_TYPE_BOOL)
		bits = bits != 0;
	else if (!number_fits(field, bits, negative))
		return refuse(table, field, ERANGE, "is out of range", error);
	/* little-endian, like every host that this runs on */
	memcpy(at, &bits, field->size);
	return 0;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied by their low bytes");

static int text_set(const struct field_table *table, const struct field *field, char *at,
		    const struct item *item, struct error *error)
{
	size_t size = item->size;

	if (size > 0 && memchr(item->data, '\0', size))
		return refuse(table, field, EBADMSG, "has a NUL byte in it", error);
	if (size >= field->size && !(field->flags & FIELD_CUT))
		return refuse(table, field, ERANGE, "is too long", error);
	if (size >= field->size)
		size = field->size - 1;
	memset(at, 0, field->size);
	if (size > 0)
		memcpy(at, item->data, size);
	return 0;
}

static int bytes_set(const struct field_table *table, const struct field *field, char *at,
		     const struct item *item, struct error *error)
{
	size_t size = item->size < field->size ? item->size : field->size;

	if (!(field->flags & FIELD_CUT) && !all_zero(item->data + size, item->size - size))
		return refuse(table, field, ERANGE, "is too long", error);
	memset(at, 0, field->size);
	if (size > 0)
		memcpy(at, item->data, size);
	return 0;
}

static int element_set(const struct field_table *table, const struct field *field, char *at,
		       const struct item *item, unsigned depth, struct error *error)
{
	bool same = field_written_type(field->type) == item->type ||
		    (is_number(field->type) && is_number(item->type));

	if (!same)
		return refuse(table, field, EBADMSG, "is of another type", error);
	switch (field->type) {
	case FIELD_TYPE_TEXT:
		return text_set(table, field, at, item, error);
	case FIELD_TYPE_BYTES:
		return bytes_set(table, field, at, item, error);
	case FIELD_TYPE_BLOB:
		*(struct field_blob *)(void *)at =
			(struct field_blob){.data = item->data, .size = item->size};
		return 0;
	case FIELD_TYPE_RECORD:
		if (depth == FIELDS_DEPTH_MAX)
			return refuse(table, field, EBADMSG, "is nested too deeply", error);
		if (item->layout)
			return convert_record(item->layout, item->layout_size, item->data,
					      item->size, field->record, at, depth + 1, error);
		return unpack_record(field->record, item->data, item->size, at, depth + 1, error);
	default:
		return number_set(table, field, at, item, error);
	}
}

/* An element beyond the member's array is an error, unless it is zero or may be cut. */
static int surplus(const struct field_table *table, const struct field *field,
		   const struct item *item, struct error *error)
{
	if ((field->flags & FIELD_CUT) || all_zero(item->data, item->size))
		return 0;
	return refuse(table, field, ERANGE, "has too many elements", error);
}

static int unknown(const struct field_table *table, uint16_t tag, struct error *error)
{
	return error_set(error, ENOTSUP, "%s has field %u, which only a newer version knows",
			 table->name, tag);
}

/* ---- reading a message ---- */

/* Repeated entries of a tag are the elements of an array. */
static int unpack_record(const struct field_table *table, const uint8_t *data, size_t size,
			 char *object, unsigned depth, struct error *error)
{
	uint32_t seen[FIELDS_PER_TABLE_MAX] = {0};
	int r = 0;

	for (size_t at = 0; at < size && r == 0;) {
		const struct field *field;
		struct field_entry entry;
		struct item item;
		uint32_t index;

		if (size - at < sizeof(entry))
			return error_set(error, EBADMSG, "%s is cut off", table->name);
		memcpy(&entry, data + at, sizeof(entry));
		at += sizeof(entry);
		if (entry.length > size - at)
			return error_set(error, EBADMSG, "%s is cut off in field %u", table->name,
					 entry.tag);
		item = (struct item){.type = entry.type, .data = data + at, .size = entry.length};
		at += entry.length;
		field = field_find(table, entry.tag);
		if (!field) {
			if ((entry.flags & FIELD_MUST) && !all_zero(item.data, item.size))
				return unknown(table, entry.tag, error);
			continue;
		}
		index = seen[field - table->fields]++;
		if (field->count == 1 && index > 0)
			return refuse(table, field, EBADMSG, "is there twice", error);
		r = index >= field->count
			    ? surplus(table, field, &item, error)
			    : element_set(table, field,
					  object + field->offset + (size_t)index * field->stride,
					  &item, depth, error);
	}
	return r;
}

int fields_unpack(const struct field_table *table, const void *data, size_t size, void *object,
		  struct error *error)
{
	return unpack_record(table, data, size, object, 0, error);
}

/* ---- reading a struct by its layout ---- */

static bool place_valid(const struct field_place *place, size_t source_size)
{
	uint64_t behind = place->offset + (uint64_t)(place->count - 1) * place->stride +
			  (uint64_t)place->size;

	return place->count > 0 && place->size > 0 && behind <= source_size &&
	       (place->count == 1 || place->stride >= place->size) &&
	       (place->counter == FIELDS_NO_COUNTER ||
		(uint64_t)place->counter + sizeof(uint64_t) <= source_size);
}

/* Converts element @index of the field that @place describes. */
static int convert_element(const struct field_table *table, const struct field *field, char *at,
			   const struct field_place *place, const uint8_t *nested,
			   const uint8_t *source, uint32_t index, unsigned depth,
			   struct error *error)
{
	struct item item = {
		.type = place->type,
		.data = source + place->offset + (size_t)index * place->stride,
		.size = place->size,
		.layout = nested,
		.layout_size = place->nested,
	};

	if (item.type == FIELD_TYPE_TEXT) {
		item.size = strnlen((const char *)item.data, place->size);
		if (item.size == place->size)
			return refuse(table, field, EBADMSG, "does not end", error);
	}
	if (!at)
		return surplus(table, field, &item, error);
	return element_set(table, field, at, &item, depth, error);
}

static int convert_array(const struct field_table *table, const struct field *field, char *object,
			 const struct field_place *place, const uint8_t *nested,
			 const uint8_t *source, unsigned depth, struct error *error)
{
	int r = 0;

	for (uint32_t k = 0; k < place->count && r == 0; k++) {
		char *at = k < field->count ? object + field->offset + (size_t)k * field->stride
					    : NULL;

		r = convert_element(table, field, at, place, nested, source, k, depth, error);
	}
	return r;
}

/* Converts the newest elements that both rings have room for; the counter tells which. */
static int convert_ring(const struct field_table *table, const struct field *field, char *object,
			const struct field_place *place, const uint8_t *nested,
			const uint8_t *source, unsigned depth, struct error *error)
{
	uint32_t most = place->count < field->count ? place->count : field->count;
	uint64_t counter;
	int r = 0;

	memcpy(&counter, source + place->counter, sizeof(counter));
	for (uint64_t n = counter > most ? counter - most : 0; n < counter && r == 0; n++) {
		char *at = object + field->offset + (size_t)(n % field->count) * field->stride;

		r = convert_element(table, field, at, place, nested, source,
				    (uint32_t)(n % place->count), depth, error);
	}
	return r;
}

/* Every place of the layout is checked against @source_size before it is used. */
static int convert_record(const uint8_t *layout, size_t layout_size, const uint8_t *source,
			  size_t source_size, const struct field_table *table, char *object,
			  unsigned depth, struct error *error)
{
	bool seen[FIELDS_PER_TABLE_MAX] = {false};
	int r = 0;

	for (size_t at = 0; at < layout_size && r == 0;) {
		const uint8_t *nested = layout + at + sizeof(struct field_place);
		const struct field *field;
		struct field_place place;

		if (layout_size - at < sizeof(place))
			return error_set(error, EBADMSG, "the layout of %s is cut off",
					 table->name);
		memcpy(&place, layout + at, sizeof(place));
		at += sizeof(place);
		if (place.nested > layout_size - at || !place_valid(&place, source_size))
			return error_set(error, EBADMSG, "the layout of %s is wrong in field %u",
					 table->name, place.tag);
		at += place.nested;
		field = field_find(table, place.tag);
		if (!field) {
			for (uint32_t k = 0; k < place.count && (place.flags & FIELD_MUST); k++) {
				if (!all_zero(source + place.offset + (size_t)k * place.stride,
					      place.size))
					return unknown(table, place.tag, error);
			}
			continue;
		}
		if (seen[field - table->fields])
			return refuse(table, field, EBADMSG, "is there twice", error);
		seen[field - table->fields] = true;
		if ((field->counter == FIELDS_NO_COUNTER) != (place.counter == FIELDS_NO_COUNTER))
			return refuse(table, field, EBADMSG, "is of another type", error);
		r = (field->counter == FIELDS_NO_COUNTER ? convert_array : convert_ring)(
			table, field, object, &place, nested, source, depth, error);
	}
	return r;
}

int fields_convert(const void *layout, size_t layout_size, const void *source, size_t source_size,
		   const struct field_table *table, void *object, struct error *error)
{
	return convert_record(layout, layout_size, source, source_size, table, object, 0, error);
}
