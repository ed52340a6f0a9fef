/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FIELDS_H
#define COMMON_FIELDS_H

/*
 * DOC: Tagged fields
 *
 * What one version of a program leaves for another one is read field by field, never
 * as a C struct: each field has a tag that means the same in every version, and a
 * length. A struct may grow, shrink and be put into another order; what a reader does
 * not know it skips, what is absent keeps the default that stood there before.
 *
 * A table says which members of a struct are fields, one line each. From it come
 *
 *   fields_pack(), fields_unpack()      a message: {u16 tag, u8 type, u8 flags, u32 length,
 *                                       bytes} for each field, one after the other
 *   fields_layout(), fields_convert()   a struct in shared memory, changed in place: where
 *                                       each tag is, written once by the version that made
 *                                       it; another version reads the struct through that
 *   fields_print()                      what is in it, for people and golden files
 *
 * To add a field: add the member to the struct, and one line with a tag that was never
 * used in that table to the table's end. Nothing else: an older reader skips it, and
 * what an older writer left has the default, zero unless the reader sets another one
 * before. To remove a field: remove the line, leave its tag unused forever (a comment
 * in the table says which are). A member whose meaning changes is a new tag. Two flags:
 *
 *   FIELD_MUST  unless it is all zero, a reader that does not know it must refuse: for
 *               what cannot be left out without reading the rest wrongly
 *   FIELD_CUT   what is too long for the reader's member may be cut (a sentence for
 *               people); otherwise such a thing is refused, as is a number out of range
 *
 * Numbers may change their size, and bool may become a number; every other change of a
 * type is a new tag. Byte order is the host's: nothing here leaves the machine.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** enum field_type - what a member is; the values of those that are written never change */
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
#define FIELD_NONE 4			       /* of a descriptor: there may be none */
#define FIELD_HIDDEN 8			       /* a secret: never printed */
#define FIELD_WRITTEN (FIELD_MUST | FIELD_CUT) /* the others are the reader's own business */

#define FIELDS_DEPTH_MAX 4
#define FIELDS_PER_TABLE_MAX 64
#define FIELDS_NO_COUNTER UINT32_MAX

/** struct field_blob - bytes of any number, elsewhere; after fields_unpack() in its input */
struct field_blob {
	const void *data;
	size_t size;
};

/**
 * struct field - one line of a table; made by the macros below
 * @size, @count, @stride: of one element, how many, from one to the next
 * @counter: of a ring: offset of the uint64_t member that counts what was ever put in;
 *           number n is element n % @count. Of a list: offset of the size_t member with
 *           the number of elements. FIELDS_NO_COUNTER: neither
 * @most:    fields_accept() refuses larger numbers, longer strings and blobs, and more
 *           elements of a list. 0: what the type takes
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
 * Rings cannot be packed. Return: bytes that it takes; nothing counts when that is
 * more than @room.
 */
size_t fields_pack(const struct field_table *table, const void *object, void *out, size_t room);
/**
 * fields_unpack() - read what fields_pack() of any version wrote
 * @object: its members keep what they have where @data has nothing
 *
 * Return: 0; -EBADMSG when it is malformed, -ERANGE when something does not fit,
 * -ENOTSUP when it has a FIELD_MUST that this version does not know; @error (may be
 * NULL) names the field. @object may be filled in part then.
 */
int fields_unpack(const struct field_table *table, const void *data, size_t size, void *object,
		  struct error *error);

/**
 * struct fields_extra - what belongs to a message beside its bytes
 * @fds:    @n_fds descriptors that came with it, not owned
 * @memory: lists that fields_accept() made; fields_memory_free() releases them
 */
struct fields_extra {
	const int *fds;
	size_t n_fds;
	struct fields_memory *memory;
};
struct fields_memory;

/**
 * fields_accept() - read a message of this very version, whole or not at all
 * @data:   what fields_pack() wrote, of any origin; strings and blobs point into it
 * @extra:  descriptors in the order of their fields; gets the lists
 * @object: overwritten, may be filled in part on failure. NULL: @data is only checked
 *
 * Unlike fields_unpack(), each field must be there, in the table's order and within
 * its bounds, and nothing else: whatever is accepted, fields_pack() makes again byte
 * for byte. Return: 0, -ENOMEM, or -EBADMSG; @error (may be NULL) names the field.
 */
int fields_accept(const struct field_table *table, const void *data, size_t size,
		  struct fields_extra *extra, void *object, struct error *error);
/** fields_memory_free() - release lists. NULL is fine. Return: NULL. */
struct fields_memory *fields_memory_free(struct fields_memory *memory);

/** fields_layout() - where the fields of the struct are; as fields_pack() */
size_t fields_layout(const struct field_table *table, void *out, size_t room);
/**
 * fields_convert() - read a struct of another version
 * @layout: what fields_layout() of that version wrote, of any origin
 * @source: the struct, @source_size bytes
 *
 * Blobs are not part of a struct in memory. Everything else as fields_unpack().
 */
int fields_convert(const void *layout, size_t layout_size, const void *source, size_t source_size,
		   const struct field_table *table, void *object, struct error *error);

/** fields_print() - one line for each field that is not zero, "member.member[2]: value" */
void fields_print(const struct field_table *table, const void *object, FILE *out);

/**
 * fields_line() - what is in it on one line, "name=value name=\"text\"", for a log
 *
 * Secrets and blobs are given by their length, what is not printable in ASCII is
 * escaped, and what does not fit into @size bytes is cut.
 */
void fields_line(const struct field_table *table, const void *object, char *out, size_t size);

/**
 * fields_sound() - is @table one: tags unique and not 0, nothing overlaps
 * @ret_gaps: bytes of the struct that no field has: what is not kept, and padding
 *
 * For tests, which hold @ret_gaps against a number: a member without a line is noticed.
 */
bool fields_sound(const struct field_table *table, size_t *ret_gaps);

#endif
