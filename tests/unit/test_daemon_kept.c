/* SPDX-License-Identifier: Apache-2.0 */

/*
 * State that one version leaves for another: bytes of every earlier format are read
 * (tests/golden/kept), and this version writes the latest of these formats.
 * UPDATE=1 adds a format.
 */

#include "tests/unit/kept_kinds.h"

#define GOLDEN "tests/golden/kept/"
#define FORMATS_MAX 1000

/* ---- golden files ---- */

/* Return: false when the file does not exist. */
static bool golden_load(const char *path, struct bytes *bytes)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	size_t at, room = 0;
	char line[128];

	*bytes = (struct bytes){.data = NULL};
	if (!file)
		return false;
	assert_int_equal(fscanf(file, "size %zu\n", &bytes->size), 1);
	while (fgets(line, sizeof(line), file)) {
		char *rest = strchr(line, ':');

		assert_true(rest && sscanf(line, "%zx:", &at) == 1);
		if (at + 16 > room) {
			size_t grown = (at + 16) * 2;

			bytes->data = realloc(bytes->data, grown);
			assert_non_null(bytes->data);
			memset(bytes->data + room, 0, grown - room);
			room = grown;
		}
		for (rest++; *rest == ' '; rest += 3)
			bytes->data[at++] = (char)strtoul(rest, NULL, 16);
		bytes->used = at;
	}
	/* the text omits zeroes at the end */
	return true;
}

static void golden_save(const char *path, const struct bytes *bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(
		sparse_write(file, (const unsigned char *)bytes->data, bytes->used, bytes->size));
	assert_int_equal(fclose(file), 0);
}

static bool same_bytes(const struct bytes *a, const struct bytes *b)
{
	const struct bytes *longer = a->used > b->used ? a : b;
	size_t both = a->used < b->used ? a->used : b->used;

	if (a->size != b->size || memcmp(a->data, b->data, both) != 0)
		return false;
	for (size_t i = both; i < longer->used; i++) {
		if (longer->data[i] != 0)
			return false;
	}
	return true;
}

/* Bytes of @format are read as the values in the text file beside them. */
static void check_format(const struct kind *kind, const char *format, const struct bytes *bytes)
{
	const char *update = getenv("UPDATE");
	cleanup_free char *text = text_of(kind, bytes);
	cleanup_free char *expected = NULL;
	size_t size = strlen(text), length;
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), GOLDEN "%s.%s.text", kind->name, format);
	file = fopen(path, "re");
	if (!file && update) {
		file = fopen(path, "we");
		assert_true(file && fwrite(text, 1, size, file) == size);
		assert_int_equal(fclose(file), 0);
		return;
	}
	if (!file)
		fail_msg("%s is missing", path);
	expected = calloc(1, size + 2);
	assert_non_null(expected);
	length = fread(expected, 1, size + 1, file);
	(void)fclose(file);
	if (length != size || memcmp(expected, text, size) != 0)
		fail_msg("%s is not read as it was: expected %s.text, got:\n%s", path, kind->name,
			 text);
}

static void check_kind(const struct kind *kind)
{
	struct bytes bytes, youngest = {.data = NULL}, ours;
	const char *update = getenv("UPDATE");
	char path[256], format[16];
	int n;

	(void)snprintf(path, sizeof(path), GOLDEN "%s.d2e21e4", kind->name);
	assert_true(golden_load(path, &bytes));
	check_format(kind, "d2e21e4", &bytes);
	free(bytes.data);
	for (n = 1; n < FORMATS_MAX; n++) {
		(void)snprintf(format, sizeof(format), "%d", n);
		(void)snprintf(path, sizeof(path), GOLDEN "%s.%d", kind->name, n);
		if (!golden_load(path, &bytes))
			break;
		check_format(kind, format, &bytes);
		free(youngest.data);
		youngest = bytes;
	}
	kind->make(&ours);
	if (n == 1 || !same_bytes(&ours, &youngest)) {
		if (!update)
			fail_msg("%s is written in another format than that of %s%s.%d: where "
				 "that is wanted, UPDATE=1 %s adds it",
				 kind->name, GOLDEN, kind->name, n - 1,
				 "build/tests/test_daemon_kept");
		golden_save(path, &ours);
		(void)snprintf(format, sizeof(format), "%d", n);
		check_format(kind, format, &ours);
	}
	free(youngest.data);
	free(ours.data);
}

static void test_golden(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_kind(&kinds[i]);
}

/* ---- tables ---- */

/* A member without a line in its table is lost at the next upgrade: count the bytes without one. */
static void test_tables_have_all(void **state)
{
	static const struct {
		const struct field_table *table;
		size_t gaps; /* .mask of a mask_stream, and padding */
	} tables[] = {
		{&log_result_fields, 4},	{&step_report_fields, 4},
		{&kept_fd_bundle_fields, 0},	{&kept_ledger_fields, 0},
		{&kept_journal_fields, 0},	{&ledger_head_fields, 7},
		{&ledger_step_fields, 5},	{&log_kept_fields, 0},
		{&log_slot_fields, 0},		{&mask_stream_fields, 15},
		{&kept_sandbox_fields, 10},	{&sandbox_outcome_fields, 10},
		{&sandbox_limits_fields, 0},	{&step_usage_fields, 0},
		{&host_network_kept_fields, 3}, {&sandbox_status_fields, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		size_t gaps;

		assert_true(fields_sound(tables[i].table, &gaps));
		if (gaps != tables[i].gaps)
			fail_msg("%s: %zu bytes have no field, not %zu: add a line for each new "
				 "member to its table",
				 tables[i].table->name, gaps, tables[i].gaps);
	}
}

/* ---- damage ---- */

/* With any byte damaged, kept state is read or refused, without further harm. */
static void test_damaged(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct bytes bytes;

		if (kinds[k].make == ledger_make || kinds[k].make == journal_make)
			continue; /* large; tests/fuzz/fuzz_daemon_kept.c */
		kinds[k].make(&bytes);
		for (size_t i = 0; i < bytes.used; i++) {
			bytes.data[i] ^= 0x55;
			free(text_of(&kinds[k], &bytes));
			bytes.data[i] ^= 0x55;
		}
		for (size_t cut = 1; cut < bytes.used; cut++) {
			struct bytes shorter = {bytes.data, cut, cut};

			free(text_of(&kinds[k], &shorter));
		}
		free(bytes.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_tables_have_all),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
