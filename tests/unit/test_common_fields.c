/* SPDX-License-Identifier: Apache-2.0 */

/* Tagged fields: data of one version is read by a version whose struct has changed. */

#include "common/cleanup.h"
#include "common/fields.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <string.h>

/* ---- the same record in several versions ---- */

struct point {
	int32_t x, y;
};
static const struct field point_list[] = {
	{FIELD_NUMBER(1, struct point, x)},
	{FIELD_NUMBER(2, struct point, y)},
};
static const struct field_table point_fields = FIELD_TABLE(struct point, point_list);

struct entry {
	uint64_t n;
};
static const struct field entry_list[] = {{FIELD_NUMBER(1, struct entry, n)}};
static const struct field_table entry_fields = FIELD_TABLE(struct entry, entry_list);

struct first {
	uint32_t number;
	char name[16];
	bool flag;
	struct point points[2][2];
	uint64_t counter;
	struct entry ring[8];
	unsigned char bytes[4];
	int16_t low;
};
static const struct field first_list[] = {
	{FIELD_NUMBER(1, struct first, number)},
	{FIELD_TEXT(2, struct first, name)},
	{FIELD_NUMBER(3, struct first, flag)},
	{FIELD_RECORDS(4, struct first, points, struct point, &point_fields)},
	{FIELD_NUMBER(5, struct first, counter)},
	{FIELD_RING(6, struct first, ring, struct entry, &entry_fields, counter)},
	{FIELD_BYTES(7, struct first, bytes)},
	{FIELD_NUMBER(8, struct first, low)},
};
static const struct field_table first_fields = FIELD_TABLE(struct first, first_list);

/* With new members at both ends and in between, other sizes, another order. */
struct grown {
	uint64_t new_before;
	int64_t low;
	unsigned char bytes[9];
	struct entry ring[5];
	uint64_t counter;
	struct big_point {
		uint64_t z;
		int64_t y;
		int64_t x;
	} points[5];
	uint32_t flag;
	char name[40];
	uint64_t number;
	uint64_t new_behind;
};
static const struct field big_point_list[] = {
	{FIELD_NUMBER(1, struct big_point, x)},
	{FIELD_NUMBER(2, struct big_point, y)},
	{FIELD_NUMBER(3, struct big_point, z)},
};
static const struct field_table big_point_fields = FIELD_TABLE(struct big_point, big_point_list);
static const struct field grown_list[] = {
	{FIELD_NUMBER(20, struct grown, new_before)},
	{FIELD_NUMBER(8, struct grown, low)},
	{FIELD_BYTES(7, struct grown, bytes)},
	{FIELD_RING(6, struct grown, ring, struct entry, &entry_fields, counter)},
	{FIELD_NUMBER(5, struct grown, counter)},
	{FIELD_RECORDS(4, struct grown, points, struct big_point, &big_point_fields)},
	{FIELD_NUMBER(3, struct grown, flag)},
	{FIELD_TEXT(2, struct grown, name)},
	{FIELD_NUMBER(1, struct grown, number)},
	{FIELD_NUMBER(21, struct grown, new_behind)},
};
static const struct field_table grown_fields = FIELD_TABLE(struct grown, grown_list);

static void first_fill(struct first *first)
{
	*first = (struct first){.number = 4000000000U,
				.name = "a name",
				.flag = true,
				.counter = 11,
				.bytes = {1, 2, 3, 4},
				.low = -300};
	for (int i = 0; i < 4; i++)
		first->points[i / 2][i % 2] = (struct point){i - 2, 100 * i};
	for (uint64_t n = 3; n < 11; n++)
		first->ring[n % 8].n = n;
}

/* Converts as from shared memory: by layout and struct. */
static int convert(const struct field_table *from, const void *source, const struct field_table *to,
		   void *object, struct error *error)
{
	char layout[4096];
	size_t size = fields_layout(from, layout, sizeof(layout));

	assert_true(size <= sizeof(layout));
	*error = ERROR_INIT;
	return fields_convert(layout, size, source, from->size, to, object, error);
}

static void grown_check(const struct grown *grown, bool ring)
{
	assert_int_equal(grown->number, 4000000000U);
	assert_string_equal(grown->name, "a name");
	assert_int_equal(grown->flag, 1);
	assert_int_equal(grown->counter, 11);
	assert_memory_equal(grown->bytes, "\1\2\3\4\0\0\0\0\0", 9);
	assert_int_equal(grown->low, -300);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(grown->points[i].x, i - 2);
		assert_int_equal(grown->points[i].y, 100 * i);
		assert_int_equal(grown->points[i].z, 0);
	}
	/* the last five of eight, each at its index in a ring of five */
	for (uint64_t n = 6; ring && n < 11; n++)
		assert_int_equal(grown->ring[n % 5].n, n);
	/* absent fields keep the reader's defaults */
	assert_int_equal(grown->new_before, 7);
	assert_int_equal(grown->new_behind, 8);
}

static void test_struct_grows_and_shrinks(void **state)
{
	struct grown grown = {.new_before = 7, .new_behind = 8};
	struct first first, back = {.number = 0};
	struct error error;

	first_fill(&first);
	assert_int_equal(convert(&first_fields, &first, &grown_fields, &grown, &error), 0);
	grown_check(&grown, true);
	/* and back: the ring has fewer elements */
	assert_int_equal(convert(&grown_fields, &grown, &first_fields, &back, &error), 0);
	for (uint64_t n = 3; n < 6; n++)
		first.ring[n % 8].n = 0;
	assert_memory_equal(&back.points, &first.points, sizeof(first.points));
	assert_memory_equal(&back.ring, &first.ring, sizeof(first.ring));
	assert_memory_equal(back.name, first.name, sizeof(first.name));
	assert_int_equal(back.number, first.number);
	assert_int_equal(back.low, first.low);
	assert_true(back.flag);
}

/* A value that does not fit is an error with the field's name, never cut silently. */
static void test_what_does_not_fit(void **state)
{
	struct first first = {.number = 0};
	struct error error;
	struct grown grown;

#define REFUSED(change, code, words)                                                               \
	do {                                                                                       \
		grown = (struct grown){.counter = 0};                                              \
		change;                                                                            \
		assert_int_equal(convert(&grown_fields, &grown, &first_fields, &first, &error),    \
				 -(code));                                                         \
		assert_non_null(strstr(error.text, words));                                        \
	} while (0)
	REFUSED(grown.number = 1ULL << 32, ERANGE, "number is out of range");
	REFUSED(grown.low = 40000, ERANGE, "low is out of range");
	REFUSED(grown.low = -40000, ERANGE, "low is out of range");
	REFUSED(grown.points[0].x = -(1LL << 31) - 1, ERANGE, "x is out of range");
	REFUSED(memset(grown.name, 'x', 16), ERANGE, "name is too long");
	REFUSED(memset(grown.name, 'x', 40), EBADMSG, "name does not end");
	REFUSED(grown.bytes[4] = 1, ERANGE, "bytes is too long");
	REFUSED(grown.points[4].y = 1, ERANGE, "points has too many elements");
#undef REFUSED
	grown = (struct grown){.low = -32768, .number = UINT32_MAX, .flag = 256};
	memset(grown.name, 'x', 15);
	assert_int_equal(convert(&grown_fields, &grown, &first_fields, &first, &error), 0);
	assert_int_equal(first.low, -32768);
	assert_true(first.flag);
}

static void test_flags(void **state)
{
	static const struct field short_list[] = {
		{FIELD_TEXT(2, struct first, bytes), .flags = FIELD_CUT},
	};
	static const struct field_table short_fields = FIELD_TABLE(struct first, short_list);
	static const struct field must_list[] = {
		{FIELD_NUMBER(99, struct first, counter), .flags = FIELD_MUST},
		{FIELD_TEXT(98, struct first, name), .flags = FIELD_MUST},
	};
	static const struct field_table must_fields = FIELD_TABLE(struct first, must_list);
	struct first first, other = {.number = 1};
	struct error error;
	char data[256];
	size_t size;

	first_fill(&first);
	assert_int_equal(convert(&first_fields, &first, &short_fields, &other, &error), 0);
	assert_string_equal((char *)other.bytes, "a n");

	/* unless it is zero */
	first = (struct first){.counter = 0};
	assert_int_equal(convert(&must_fields, &first, &first_fields, &other, &error), 0);
	size = fields_pack(&must_fields, &first, data, sizeof(data));
	assert_int_equal(fields_unpack(&first_fields, data, size, &other, &error), 0);
	first.counter = 1;
	assert_int_equal(convert(&must_fields, &first, &first_fields, &other, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "field 99, which only a newer version knows"));
	size = fields_pack(&must_fields, &first, data, sizeof(data));
	assert_int_equal(fields_unpack(&first_fields, data, size, &other, &error), -ENOTSUP);
	first = (struct first){.name = "x"};
	assert_int_equal(convert(&must_fields, &first, &first_fields, &other, &error), -ENOTSUP);
	/* a reader that knows the field accepts it */
	assert_int_equal(convert(&must_fields, &first, &must_fields, &other, &error), 0);
	assert_string_equal(other.name, "x");
}

/* ---- messages ---- */

struct letter {
	uint64_t number;
	struct field_blob blob;
	struct point points[3];
	char text[8];
};
static const struct field letter_list[] = {
	{FIELD_NUMBER(1, struct letter, number)},
	{FIELD_BLOB(2, struct letter, blob)},
	{FIELD_RECORDS(3, struct letter, points, struct point, &point_fields)},
	{FIELD_TEXT(4, struct letter, text)},
};
static const struct field_table letter_fields = FIELD_TABLE(struct letter, letter_list);

static const struct letter letter = {.number = 77,
				     .blob = {"blob", 4},
				     .points = {{1, -1}, {2, -2}, {3, -3}},
				     .text = "seven77"};

static void test_message(void **state)
{
	struct letter read = {.number = 0};
	struct error error = ERROR_INIT;
	char data[512], small[16];
	size_t size = fields_pack(&letter_fields, &letter, NULL, 0);

	assert_int_equal(fields_pack(&letter_fields, &letter, data, sizeof(data)), size);
	memset(small, 'x', sizeof(small));
	assert_int_equal(fields_pack(&letter_fields, &letter, small, 9), size);
	assert_int_equal(small[9], 'x');
	assert_int_equal(fields_unpack(&letter_fields, data, size, &read, &error), 0);
	assert_int_equal(read.number, 77);
	assert_int_equal(read.blob.size, 4);
	assert_memory_equal(read.blob.data, "blob", 4);
	assert_memory_equal(read.points, letter.points, sizeof(letter.points));
	assert_string_equal(read.text, "seven77");
	/* absent fields keep their value */
	read = (struct letter){.number = 5, .text = "default"};
	assert_int_equal(fields_unpack(&letter_fields, data, 0, &read, &error), 0);
	assert_int_equal(read.number, 5);
	assert_string_equal(read.text, "default");
	/* a reader that knows only one of its fields */
	assert_int_equal(fields_unpack(&entry_fields, data, size, &read.number, &error), 0);
	assert_int_equal(read.number, 77);
}

/* A message cut at every length and with every byte changed: at worst an error. */
static void test_message_damaged(void **state)
{
	struct error error = ERROR_INIT;
	struct letter read;
	char data[512];
	size_t size = fields_pack(&letter_fields, &letter, data, sizeof(data));
	size_t whole = 0;

	for (size_t cut = 0; cut <= size; cut++) {
		char *copy = malloc(cut + 1);

		assert_non_null(copy);
		memcpy(copy, data, cut);
		whole += fields_unpack(&letter_fields, copy, cut, &read, &error) == 0;
		free(copy);
	}
	assert_int_equal(whole, 7); /* between two fields */
	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			data[i] ^= (char)(1 << bit);
			(void)fields_unpack(&letter_fields, data, size, &read, &error);
			data[i] ^= (char)(1 << bit);
		}
	}
	/* the same one twice; another type; a NUL in a text */
	memcpy(data + 16, data, 16);
	assert_int_equal(fields_unpack(&letter_fields, data, 32, &read, &error), -EBADMSG);
	data[2] = FIELD_TYPE_TEXT;
	assert_int_equal(fields_unpack(&letter_fields, data, 16, &read, &error), -EBADMSG);
	data[0] = 4;
	assert_int_equal(fields_unpack(&letter_fields, data, 16, &read, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "text has a NUL byte in it"));
}

/* The same for a layout. */
static void test_layout_damaged(void **state)
{
	struct error error = ERROR_INIT;
	struct first first, read;
	struct grown grown;
	char layout[1024];
	size_t size = fields_layout(&first_fields, layout, sizeof(layout));
	uint32_t huge = UINT32_MAX;
	size_t whole = 0;

	first_fill(&first);
	for (size_t cut = 0; cut < size; cut++) {
		char *copy = malloc(cut + 1);

		assert_non_null(copy);
		memcpy(copy, layout, cut);
		whole += fields_convert(copy, cut, &first, sizeof(first), &first_fields, &read,
					&error) == 0;
		free(copy);
	}
	assert_int_equal(whole, 8); /* in front of each field */
	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			layout[i] ^= (char)(1 << bit);
			(void)fields_convert(layout, size, &first, sizeof(first), &grown_fields,
					     &grown, &error);
			layout[i] ^= (char)(1 << bit);
		}
	}
	/* offset, size, count of the first field: each leads out of the struct */
	for (size_t at = 4; at <= 12; at += 4) {
		char copy[1024];

		memcpy(copy, layout, size);
		memcpy(copy + at, &huge, sizeof(huge));
		assert_int_equal(fields_convert(copy, size, &first, sizeof(first), &first_fields,
						&read, &error),
				 -EBADMSG);
		assert_non_null(strstr(error.text, "is wrong in field 1"));
	}
	assert_int_equal(fields_convert(layout, size, &first, 8, &first_fields, &read, &error),
			 -EBADMSG);
}

/* ---- tables and people ---- */

static void test_tables(void **state)
{
	static const struct field twice_list[] = {
		{FIELD_NUMBER(1, struct point, x)},
		{FIELD_NUMBER(1, struct point, y)},
	};
	static const struct field over_list[] = {
		{FIELD_NUMBER(1, struct point, x)},
		{FIELD_NUMBER(2, struct point, x)},
	};
	static const struct field_table twice = FIELD_TABLE(struct point, twice_list);
	static const struct field_table over = FIELD_TABLE(struct point, over_list);
	size_t gaps;

	assert_true(fields_sound(&point_fields, &gaps));
	assert_int_equal(gaps, 0);
	assert_true(fields_sound(&letter_fields, &gaps));
	assert_true(fields_sound(&entry_fields, &gaps));
	assert_false(fields_sound(&twice, &gaps));
	assert_false(fields_sound(&over, &gaps));
	/* a member without a line */
	assert_true(fields_sound(&(const struct field_table){.name = "point",
							     .size = sizeof(struct point),
							     .fields = point_list,
							     .n_fields = 1},
				 &gaps));
	assert_int_equal(gaps, 4);
}

static void test_print(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fields_print(&letter_fields, &letter, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "number: 77\nblob: 626c6f62\npoints[0].x: 1\npoints[0].y: -1\n"
				  "points[1].x: 2\npoints[1].y: -2\npoints[2].x: 3\n"
				  "points[2].y: -3\ntext: \"seven77\"\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_struct_grows_and_shrinks),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_message_damaged),
		cmocka_unit_test(test_layout_damaged),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
