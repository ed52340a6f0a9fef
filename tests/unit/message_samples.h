/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_MESSAGE_SAMPLES_H
#define TESTS_UNIT_MESSAGE_SAMPLES_H

/* Messages made from their tables alone: for the test of all of them, and as fuzz seeds. */

#include "common/message_fields.h"

#include <stdlib.h>
#include <string.h>

enum sample {
	SAMPLE_LEAST, /* zeroes, empty texts, nothing that may be absent */
	SAMPLE_SOME,
	SAMPLE_MOST, /* every bound reached */
	SAMPLE_NUM,
};

/* A text of @length bytes, at most MESSAGE_BYTES_MAX. */
static inline const char *sample_text(size_t length)
{
	static char text[MESSAGE_BYTES_MAX + 1];

	if (!text[0])
		memset(text, 'x', MESSAGE_BYTES_MAX);
	return text + MESSAGE_BYTES_MAX - length;
}

static inline size_t sample_size(const struct field *field, enum sample sample)
{
	size_t some = field->most < 3 ? field->most : 3;

	return sample == SAMPLE_LEAST ? 0 : sample == SAMPLE_MOST ? field->most : some;
}

static inline void sample_number(const struct field *field, char *at, enum sample sample)
{
	uint64_t most = field->type == FIELD_TYPE_BOOL ? 1 : field->most;
	uint64_t value = sample == SAMPLE_LEAST ? 0 : sample == SAMPLE_MOST ? most : most / 3;

	memcpy(at, &value, field->size);
}

/* Fill @object; samples_free() releases its lists. @fd goes where a descriptor does. */
static inline void sample_fill(const struct field_table *table, char *object, enum sample sample,
			       int fd)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		char *at = object + field->offset, *elements;
		size_t size = sample_size(field, sample);

		switch (field->type) {
		case FIELD_TYPE_STRING:
			*(const char **)(void *)at = sample_text(size);
			break;
		case FIELD_TYPE_BLOB:
			*(struct field_blob *)(void *)at =
				(struct field_blob){sample_text(size), size};
			break;
		case FIELD_TYPE_FD:
			*(int *)(void *)at =
				sample == SAMPLE_LEAST && (field->flags & FIELD_NONE) ? -1 : fd;
			break;
		case FIELD_TYPE_LIST:
			elements = calloc(size + 1, field->record->size);
			*(void **)(void *)at = elements;
			*(size_t *)(void *)(object + field->counter) = size;
			for (size_t k = 0; k < size; k++)
				sample_fill(field->record, elements + k * field->record->size,
					    sample, fd);
			break;
		case FIELD_TYPE_RECORD:
			sample_fill(field->record, at, sample, fd);
			break;
		default:
			sample_number(field, at, sample);
		}
	}
}

static inline void sample_empty(const struct field_table *table, char *object)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		char *at = object + field->offset, *elements;

		if (field->type == FIELD_TYPE_RECORD)
			sample_empty(field->record, at);
		if (field->type != FIELD_TYPE_LIST)
			continue;
		elements = *(char **)(void *)at;
		for (size_t k = 0; k < *(size_t *)(void *)(object + field->counter); k++)
			sample_empty(field->record, elements + k * field->record->size);
		free(elements);
	}
}

/* What the sender's side makes of a sample. */
static inline struct message *sample_message(const struct message_format *format,
					     enum sample sample, int fd)
{
	char *fields = calloc(1, format->table->size + 1);
	struct message *message;

	sample_fill(format->table, fields, sample, fd);
	message = message_build(format, 7, fields);
	sample_empty(format->table, fields);
	free(fields);
	return message;
}

#endif
