/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The strict reader, for messages between two processes of one version. Data of other versions
 * is read by fields.c, which tolerates unknown and absent fields.
 */

#include "common/fields_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fields_memory {
	struct fields_memory *next;
	_Alignas(max_align_t) char data[];
};

struct reader {
	struct fields_extra *extra;
	size_t next_fd;
	struct error *error;
};

/* The unread part of the message. */
struct rest {
	const uint8_t *data;
	size_t size;
};

static int refuse(struct reader *reader, const struct field_table *table, const struct field *field,
		  const char *what)
{
	return error_set(reader->error, EBADMSG, "%s.%s %s", table->name, field->name, what);
}

/* Reads the next entry, which must have @tag, @type and @flags. */
static bool entry_take(struct rest *rest, uint16_t tag, uint8_t type, uint8_t flags,
		       struct rest *ret_item)
{
	struct field_entry entry;

	if (rest->size < sizeof(entry))
		return false;
	memcpy(&entry, rest->data, sizeof(entry));
	if (entry.tag != tag || entry.type != type || entry.flags != flags ||
	    entry.length > rest->size - sizeof(entry))
		return false;
	*ret_item = (struct rest){rest->data + sizeof(entry), entry.length};
	rest->data += sizeof(entry) + entry.length;
	rest->size -= sizeof(entry) + entry.length;
	return true;
}

static int read_record(struct reader *reader, const struct field_table *table, struct rest rest,
		       char *object, unsigned depth);

/* ---- one field; @at is NULL to check it only ---- */

static int read_number(struct reader *reader, const struct field_table *table,
		       const struct field *field, struct rest item, char *at)
{
	uint64_t most = field->type == FIELD_TYPE_BOOL ? 1 : field->most;
	uint64_t bits = 0;

	if (item.size != field->size)
		return refuse(reader, table, field, "has a size that it does not have here");
	memcpy(&bits, item.data, item.size); /* little-endian, see fields.c */
	if (most > 0 && bits > most)
		return refuse(reader, table, field, "is out of range");
	if (at)
		memcpy(at, &bits, field->size);
	return 0;
}

static int read_string(struct reader *reader, const struct field_table *table,
		       const struct field *field, struct rest item, char *at)
{
	if (item.size == 0 || memchr(item.data, '\0', item.size) != item.data + item.size - 1)
		return refuse(reader, table, field, "does not end with its only NUL byte");
	if (item.size - 1 > field->most)
		return refuse(reader, table, field, "is too long");
	if (at)
		*(const char **)(void *)at = (const char *)item.data;
	return 0;
}

static int read_blob(struct reader *reader, const struct field_table *table,
		     const struct field *field, struct rest item, char *at)
{
	if (item.size > field->most)
		return refuse(reader, table, field, "is too long");
	if (at)
		*(struct field_blob *)(void *)at =
			(struct field_blob){.data = item.data, .size = item.size};
	return 0;
}

static int read_fd(struct reader *reader, const struct field_table *table,
		   const struct field *field, struct rest item, char *at)
{
	struct fields_extra *extra = reader->extra;
	bool there = item.size == 1 && item.data[0] == 1;

	if (item.size != 1 || item.data[0] > 1)
		return refuse(reader, table, field, "is neither there nor absent");
	if (!there && !(field->flags & FIELD_NONE))
		return refuse(reader, table, field, "is missing");
	if (there && reader->next_fd == extra->n_fds)
		return refuse(reader, table, field, "is announced, but did not come");
	if (at)
		*(int *)(void *)at = there ? extra->fds[reader->next_fd] : -1;
	reader->next_fd += there;
	return 0;
}

static void *memory_new(struct fields_extra *extra, size_t n, size_t size)
{
	struct fields_memory *memory = calloc(1, sizeof(*memory) + n * size);

	if (!memory)
		return NULL;
	memory->next = extra->memory;
	extra->memory = memory;
	return memory->data;
}

struct fields_memory *fields_memory_free(struct fields_memory *memory)
{
	while (memory) {
		struct fields_memory *next = memory->next;

		free(memory);
		memory = next;
	}
	return NULL;
}

static int read_list(struct reader *reader, const struct field_table *table,
		     const struct field *field, struct rest item, char *object, unsigned depth)
{
	struct rest walk = item, element;
	char *elements = NULL;
	size_t n = 0;
	int r = 0;

	while (entry_take(&walk, 1, FIELD_TYPE_RECORD, 0, &element))
		n++;
	if (walk.size > 0)
		return refuse(reader, table, field, "is malformed");
	if (n > field->most)
		return refuse(reader, table, field, "has too many elements");
	if (object && n > 0) {
		elements = memory_new(reader->extra, n, field->record->size);
		if (!elements)
			return error_set(reader->error, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		(void)entry_take(&item, 1, FIELD_TYPE_RECORD, 0, &element);
		r = read_record(reader, field->record, element,
				elements ? elements + i * field->record->size : NULL, depth + 1);
	}
	if (object) {
		*(void **)(void *)(object + field->offset) = elements;
		*(size_t *)(void *)(object + field->counter) = n;
	}
	return r;
}

static int read_field(struct reader *reader, const struct field_table *table,
		      const struct field *field, struct rest item, char *object, uint32_t k,
		      unsigned depth)
{
	char *at = object ? object + field->offset + (size_t)k * field->stride : NULL;

	switch (field->type) {
	case FIELD_TYPE_UINT:
	case FIELD_TYPE_BOOL:
		return read_number(reader, table, field, item, at);
	case FIELD_TYPE_STRING:
		return read_string(reader, table, field, item, at);
	case FIELD_TYPE_BLOB:
		return read_blob(reader, table, field, item, at);
	case FIELD_TYPE_FD:
		return read_fd(reader, table, field, item, at);
	case FIELD_TYPE_LIST:
		return read_list(reader, table, field, item, object, depth);
	case FIELD_TYPE_RECORD:
		return read_record(reader, field->record, item, at, depth + 1);
	default: /* types of kept state, which messages do not have */
		return refuse(reader, table, field, "is of a type that messages do not have");
	}
}

static int read_record(struct reader *reader, const struct field_table *table, struct rest rest,
		       char *object, unsigned depth)
{
	int r = 0;

	if (depth > FIELDS_DEPTH_MAX)
		return error_set(reader->error, EBADMSG, "%s is nested too deeply", table->name);
	for (size_t i = 0; i < table->n_fields && r == 0; i++) {
		const struct field *field = &table->fields[i];
		struct rest item;

		for (uint32_t k = 0; k < field->count && r == 0; k++) {
			if (!entry_take(&rest, field->tag, field_written_type(field->type),
					field->flags & FIELD_WRITTEN, &item))
				return refuse(reader, table, field, "is not where it should be");
			r = read_field(reader, table, field, item, object, k, depth);
		}
	}
	if (r == 0 && rest.size > 0)
		return error_set(reader->error, EBADMSG, "%s has more than its fields",
				 table->name);
	return r;
}

int fields_accept(const struct field_table *table, const void *data, size_t size,
		  struct fields_extra *extra, void *object, struct error *error)
{
	struct reader reader = {.extra = extra, .error = error};
	int r = read_record(&reader, table, (struct rest){data, size}, object, 0);

	if (r == 0 && reader.next_fd != extra->n_fds)
		return error_set(error, EBADMSG, "%s has more descriptors than its fields",
				 table->name);
	return r;
}
