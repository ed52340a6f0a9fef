/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FIELDS_H
#define COMMON_FIELDS_H

/*
 * DOC: Tagged fields
 *
 * Data that one version of a program leaves for another is read field by field, never as a C
 * struct: each field has a length and a tag that means the same in every version. A struct may
 * grow, shrink and change its order; a reader skips fields that it does not know, and an absent
 * field keeps the default that the caller has set.
 *
 * A table says which members of a struct are fields, one line each. From it come
 *
 *   fields_pack(), fields_unpack()      a message: {u16 tag, u8 type, u8 flags, u32 length,
 *                                       bytes} for each field, one after the other
 *   fields_layout(), fields_convert()   a struct in shared memory, changed in place: where
 *                                       each tag is, written once by the version that made
 *                                       it; another version reads the struct through that
 *   fields_print()                      the values, for people and golden files
 *
 * To add a field: add the member to the struct, and at the end of the table one line with a tag
 * that was never used in it. That is all: an older reader skips it, and in data of an older
 * writer it has the default, which is zero unless the reader sets another one before. To remove
 * a field: remove the line and leave its tag unused forever (a comment in the table lists such
 * tags). A member whose meaning changes needs a new tag. Two flags:
 *
 *   FIELD_MUST  unless it is all zero, a reader that does not know it must fail: for
 *               fields without which the rest would be misunderstood
 *   FIELD_CUT   a text that is too long for the reader's member is cut (a sentence for
 *               people); without the flag it is an error, as is a number out of range
 *
 * Numbers may change their size, and bool may become a number; every other change of a type
 * needs a new tag. Byte order is the host's: this data never leaves the machine.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** enum field_type - type of a member; values that are written to data never change */
enum field_type {
	FIELD_TYPE_UINT = 1, /* of 1, 2, 4 or 8 bytes; also enum */
	FIELD_TYPE_INT = 2,
	FIELD_TYPE_TEXT = 3,   /* char[], with a NUL; without it in a message */
	FIELD_TYPE_BYTES = 4,  /* unsigned char[], all of them */
	FIELD_TYPE_RECORD = 5, /* another struct with a table */
	FIELD_TYPE_BOOL = 64,  /* written as UINT */
	FIELD_TYPE_BLOB = 65,  /* struct field_blob, in messages only; written as BYTES */
	/* only in messages between processes, see common/message_fields.h */
	FIELD_TYPE_STRING = 66, /* const char *; written with its NUL. NULL is "" */
	FIELD_TYPE_LIST = 67,	/* pointer to an array of records; written as records in one */
	FIELD_TYPE_FD = 68,	/* int; written as one byte: 1 when a descriptor goes with it */
};

#define FIELD_MUST 1
#define FIELD_CUT 2
#define FIELD_NONE 4			       /* a descriptor that may be absent */
#define FIELD_HIDDEN 8			       /* a secret: never printed */
#define FIELD_WRITTEN (FIELD_MUST | FIELD_CUT) /* the other flags are not written */

#define FIELDS_DEPTH_MAX 4
#define FIELDS_PER_TABLE_MAX 64
#define FIELDS_NO_COUNTER UINT32_MAX

/** struct field_blob - bytes elsewhere in memory; fields_unpack() points into its input */
struct field_blob {
	const void *data;
	size_t size;
};

/**
 * struct field - one line of a table; made by the macros below
 * @size, @count, @stride: bytes of one element, number of elements, bytes from one to the next
 * @counter: of a ring: offset of the uint64_t member that counts all entries ever added; entry
 *           n is element n % @count. Of a list: offset of the size_t member with the number of
 *           elements. FIELDS_NO_COUNTER: neither
 * @most:    fields_accept() refuses larger numbers, longer strings and blobs, and more elements
 *           of a list. 0: no bound but that of the type
 */
struct field {
	const char *name;
	uint16_t tag;
	uint8_t type;
	uint8_t flags;
	uint32_t offset, size, count, stride;
	uint32_t counter;
	const struct field_table *record;
	uint64_t most;
};

/** struct field_table - the fields of one struct, each tag once */
struct field_table {
	const char *name;
	size_t size; /* of the struct */
	const struct field *fields;
	size_t n_fields;
};

#define FIELD_MEMBER(T, m) (((T *)0)->m)
#define FIELD_NUMBER_TYPE(x)                                                                       \
	_Generic((x), _Bool                                                                        \
		 : FIELD_TYPE_BOOL, signed char                                                    \
		 : FIELD_TYPE_INT, short                                                           \
		 : FIELD_TYPE_INT, int                                                             \
		 : FIELD_TYPE_INT, long                                                            \
		 : FIELD_TYPE_INT, long long                                                       \
		 : FIELD_TYPE_INT, default                                                         \
		 : FIELD_TYPE_UINT)
#define FIELD_PLACE(TAG, T, m) .name = #m, .tag = (TAG), .offset = offsetof(T, m)
#define FIELD_ONE(T, m)                                                                            \
	.size = sizeof(FIELD_MEMBER(T, m)), .count = 1, .stride = sizeof(FIELD_MEMBER(T, m)),      \
	.counter = FIELDS_NO_COUNTER
#define FIELD_MANY(T, m, E)                                                                        \
	.size = sizeof(E), .count = sizeof(FIELD_MEMBER(T, m)) / sizeof(E), .stride = sizeof(E)

/*
 * A line is {FIELD_…(tag, struct type, member)} or, with flags,
 * {FIELD_…(tag, struct type, member), .flags = FIELD_CUT}. *_RECORDS and _RING take the
 * type of an element; an array of arrays is one long array.
 */
#define FIELD_NUMBER(TAG, T, m)                                                                    \
	FIELD_PLACE(TAG, T, m), FIELD_ONE(T, m), .type = FIELD_NUMBER_TYPE(FIELD_MEMBER(T, m))
#define FIELD_NUMBERS(TAG, T, m)                                                                   \
	FIELD_PLACE(TAG, T, m), FIELD_MANY(T, m, FIELD_MEMBER(T, m)[0]),                           \
		.counter = FIELDS_NO_COUNTER, .type = FIELD_NUMBER_TYPE(FIELD_MEMBER(T, m)[0])
#define FIELD_TEXT(TAG, T, m) FIELD_PLACE(TAG, T, m), FIELD_ONE(T, m), .type = FIELD_TYPE_TEXT
#define FIELD_BYTES(TAG, T, m) FIELD_PLACE(TAG, T, m), FIELD_ONE(T, m), .type = FIELD_TYPE_BYTES
#define FIELD_BLOB(TAG, T, m) FIELD_PLACE(TAG, T, m), FIELD_ONE(T, m), .type = FIELD_TYPE_BLOB
#define FIELD_RECORD(TAG, T, m, TABLE)                                                             \
	FIELD_PLACE(TAG, T, m), FIELD_ONE(T, m), .type = FIELD_TYPE_RECORD, .record = (TABLE)
#define FIELD_RECORDS(TAG, T, m, E, TABLE)                                                         \
	FIELD_PLACE(TAG, T, m), FIELD_MANY(T, m, E), .counter = FIELDS_NO_COUNTER,                 \
						     .type = FIELD_TYPE_RECORD, .record = (TABLE)
#define FIELD_RING(TAG, T, m, E, TABLE, n)                                                         \
	FIELD_PLACE(TAG, T, m), FIELD_MANY(T, m, E), .counter = offsetof(T, n),                    \
						     .type = FIELD_TYPE_RECORD, .record = (TABLE)

/** FIELD_TABLE() - the initializer of a struct field_table */
#define FIELD_TABLE(T, FIELDS)                                                                     \
	{                                                                                          \
		.name = #T, .size = sizeof(T), .fields = (FIELDS),                                 \
		.n_fields = sizeof(FIELDS) / sizeof((FIELDS)[0])                                   \
	}

/**
 * fields_pack() - write @object as a message
 * @out: room for @room bytes; may be NULL with @room 0, to measure
 *
 * Rings cannot be packed. Return: bytes needed; if that is more than @room, @out is incomplete
 * and must not be used.
 */
size_t fields_pack(const struct field_table *table, const void *object, void *out, size_t room);
/**
 * fields_unpack() - read a message that fields_pack() of any version wrote
 * @object: a member without a field in @data keeps its value
 *
 * Return: 0; -EBADMSG if @data is malformed, -ERANGE if a value does not fit its member,
 * -ENOTSUP if a FIELD_MUST is unknown to this version; @error (may be NULL) names the field. On
 * failure @object may be filled in part.
 */
int fields_unpack(const struct field_table *table, const void *data, size_t size, void *object,
		  struct error *error);

/**
 * struct fields_extra - parts of a message besides its bytes
 * @fds:    @n_fds descriptors that came with the message, not owned
 * @memory: lists that fields_accept() made; fields_memory_free() releases them
 */
struct fields_extra {
	const int *fds;
	size_t n_fds;
	struct fields_memory *memory;
};
struct fields_memory;

/**
 * fields_accept() - read a message of exactly this version
 * @data:   untrusted output of fields_pack(); strings and blobs of @object point into it
 * @extra:  descriptors in the order of their fields; gets the lists
 * @object: overwritten, may be filled in part on failure. NULL: @data is only checked
 *
 * Unlike fields_unpack(), it requires each field, in the table's order and within its bounds,
 * and nothing else: fields_pack() makes the same bytes from every accepted message.
 * Return: 0, -ENOMEM, or -EBADMSG; @error (may be NULL) names the field.
 */
int fields_accept(const struct field_table *table, const void *data, size_t size,
		  struct fields_extra *extra, void *object, struct error *error);
/** fields_memory_free() - release lists. NULL is fine. Return: NULL. */
struct fields_memory *fields_memory_free(struct fields_memory *memory);

/** fields_layout() - write the places of the struct's fields; arguments as fields_pack() */
size_t fields_layout(const struct field_table *table, void *out, size_t room);
/**
 * fields_convert() - read a struct of another version
 * @layout: untrusted output of fields_layout() of that version
 * @source: the struct, @source_size bytes
 *
 * A struct in memory has no blobs. In all else like fields_unpack().
 */
int fields_convert(const void *layout, size_t layout_size, const void *source, size_t source_size,
		   const struct field_table *table, void *object, struct error *error);

/** fields_print() - print a line for each field that is not zero, "member.member[2]: value" */
void fields_print(const struct field_table *table, const void *object, FILE *out);

/**
 * fields_line() - write all values on one line, "name=value name=\"text\"", for a log
 *
 * Secrets and blobs appear as their length, bytes that are not printable ASCII are escaped, and
 * the line is cut at @size bytes.
 */
void fields_line(const struct field_table *table, const void *object, char *out, size_t size);

/**
 * fields_sound() - is @table correct: tags unique and not 0, no overlap?
 * @ret_gaps: bytes of the struct without a field: members that are not kept, and padding
 *
 * For tests, which compare @ret_gaps with a number to notice a new member without a line.
 */
bool fields_sound(const struct field_table *table, size_t *ret_gaps);

#endif
