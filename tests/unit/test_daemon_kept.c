/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one version leaves for another: bytes of every format that there was are read
 * (tests/golden/kept), so are layouts that no version has had yet, and what this one
 * writes is the youngest of the golden formats. UPDATE=1 adds one.
 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "daemon/adopt.h"
#include "daemon/daemon.h"
#include "daemon/kept_memory.h"
#include "daemon/ledger_parts.h"
#include "daemon/log_journal_parts.h"
#include "sandbox/kept_fields.h"
#include "sandbox/kept_raw.h"
#include "sandbox/status_read.h"

#include "tests/unit/cmocka_headers.h"
#include "tests/unit/kept_fixture.h"

#include <errno.h>
#include <sys/mman.h>

#define GOLDEN "tests/golden/kept/"
#define FORMATS_MAX 1000
#define ORDER 1000002

/* struct bytes - of a golden file: behind .used there are only zeroes */
struct bytes {
	char *data;
	size_t used, size;
};

static struct fd_store *store_new(void)
{
	int highest;
	struct fd_store *store = fd_store_inherit(&highest);

	assert_non_null(store);
	return store;
}

/* Return: a new one that has @bytes in it. */
static int memory_of(const struct bytes *bytes)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes->size), 0);
	assert_int_equal(pwrite(fd, bytes->data, bytes->used, 0), bytes->used);
	return fd;
}

static void bytes_of(struct bytes *bytes, int fd, size_t used)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*bytes = (struct bytes){malloc(used), used, (size_t)st.st_size};
	assert_non_null(bytes->data);
	assert_int_equal(pread(fd, bytes->data, used, 0), used);
}

/* ---- one of each kind: make what this version writes, and say what can be read ---- */

static void ledger_make(struct bytes *bytes)
{
	struct kept_memory memory;
	struct kept_ledger kept = {.head_at = 0};
	struct error error = ERROR_INIT;
	struct ledger *ledger;

	assert_int_equal(ledger_new(-1, "0123456789abcdef0123456789abcdef", &ledger, &error), 0);
	fixture_ledger(ledger);
	assert_int_equal(kept_memory_map(ledger_fd(ledger), &memory, &error), 0);
	assert_int_equal(kept_memory_described(&memory, &kept_ledger_fields, &kept, &error), 0);
	kept_memory_unmap(&memory);
	bytes_of(bytes, ledger_fd(ledger), kept.steps_at + 4 * kept.step_size);
	(void)ledger_free(ledger);
}

static void ledger_say(int fd, FILE *out)
{
	const struct ledger_step *step = NULL;
	struct error error = ERROR_INIT;
	struct ledger *ledger;

	if (ledger_new(fd, NULL, &ledger, &error) < 0) {
		fprintf(out, "%s\n", error.text);
		return;
	}
	fprintf(out, "instance %s\norders", ledger_instance(ledger));
	for (uint64_t order = 999998; order < 1000006; order++)
		fprintf(out, " %d", ledger_order_known(ledger, order));
	fprintf(out, "\n");
	while ((step = ledger_step_next(ledger, step)) != NULL) {
		fprintf(out, "\n");
		fields_print(&ledger_step_fields, step, out);
	}
	(void)ledger_free(ledger);
}

static void ledger_read(const struct bytes *bytes, FILE *out)
{
	ledger_say(memory_of(bytes), out);
}

static int keep(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	return sandbox_keep(sandbox, ret_kept);
}

static int fds_made[32];
static size_t n_made;

static int file_make(void)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	assert_true(fd >= 0);
	fds_made[n_made++] = fd;
	return fd;
}

static void files_close(void)
{
	while (n_made > 0)
		(void)close(fds_made[--n_made]);
}

/* Which of those that were made it is, by its file. */
static size_t file_number(int fd)
{
	struct stat one, other;

	for (size_t i = 0; i < n_made; i++) {
		if (fstat(fd, &one) == 0 && fstat(fds_made[i], &other) == 0 &&
		    one.st_ino == other.st_ino)
			return i;
	}
	return 99;
}

static void sandbox_make_fixture(struct fixture_sandbox *fixture)
{
	int fds[7];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = file_make();
	fixture_sandbox(fixture, fds);
}

static void sandbox_make(struct bytes *bytes)
{
	struct fixture_sandbox fixture;
	struct sandbox_kept kept;

	sandbox_make_fixture(&fixture);
	assert_int_equal(sandbox_keep(&fixture.sandbox, &kept), 0);
	*bytes = (struct bytes){kept.data, kept.size, kept.size};
	assert_int_equal(kept.n_fds, 6);
	files_close();
}

static void sandbox_say(const struct sandbox_kept *data, FILE *out)
{
	struct error error = ERROR_INIT;
	struct kept_sandbox kept;
	uint16_t kinds[SANDBOX_KEPT_FDS_MAX];

	if (sandbox_kept_read(data, &kept, kinds, &error) < 0)
		fprintf(out, "%s\n", error.text);
	else
		fields_print(&kept_sandbox_fields, &kept, out);
}

static void sandbox_read(const struct bytes *bytes, FILE *out)
{
	const struct sandbox_kept kept = {.data = bytes->data, .size = bytes->size, .n_fds = 6};

	sandbox_say(&kept, out);
}

static void bag_make(struct bytes *bytes)
{
	static const struct sandbox_ops ops = {.keep = keep};
	struct daemon daemon = {.fds = NULL};
	struct step_table table = {.daemon = &daemon, .ops = &ops};
	struct step step = {.table = &table};
	struct step_setup setup = {.log_fd = file_make(), .index_fd = file_make()};
	struct fixture_sandbox fixture;
	char layers[2][IMAGE_ID_SIZE];
	int bag, fds[FD_BAG_FDS_MAX];
	size_t n_fds;
	ssize_t size;

	setup.stdout_pipe[0] = file_make();
	setup.stderr_pipe[0] = file_make();
	setup.cacher_fd = file_make();
	step.order.mask_fd = file_make();
	sandbox_make_fixture(&fixture);
	step.sandbox = fixture.sandbox;
	step.order.order = ORDER;
	step.order.n_layers = 2;
	for (size_t i = 0; i < 2; i++)
		(void)snprintf(layers[i], sizeof(layers[i]), "%064d", 0);
	memset(layers[0], 'a', 64);
	memset(layers[1], 'b', 64);
	step.order.layers = layers[0];
	bag = step_bag_make(&step, &setup);
	assert_true(bag >= 0);
	*bytes = (struct bytes){.data = malloc(FD_BAG_BYTES_MAX)};
	size = fd_bag_open(bag, bytes->data, FD_BAG_BYTES_MAX, fds, &n_fds);
	assert_true(size > 0);
	assert_int_equal(n_fds, 12);
	bytes->used = bytes->size = (size_t)size;
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	(void)close(bag);
	files_close();
}

static void bag_read(const struct bytes *bytes, FILE *out)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	char name[FD_STORE_NAME_MAX];
	struct step_bag bag;

	for (size_t i = 0; i < 12; i++)
		(void)file_make();
	step_keep_name(ORDER, name);
	assert_int_equal(
		fd_store_put(store, name, fd_bag_make(bytes->data, bytes->size, fds_made, 12)), 0);
	if (step_bag_open(store, ORDER, &bag, &error) < 0) {
		fprintf(out, "%s\n", error.text);
	} else {
		for (size_t i = 0; i < bag.n_layers; i++)
			fprintf(out, "layer %s\n", bag.layers + i * IMAGE_ID_SIZE);
		for (size_t i = 0; i < STEP_BAG_FDS; i++)
			fprintf(out, "descriptor %zu: %zu\n", i, file_number(bag.fds[i]));
		fprintf(out, "mask: %zu\n", file_number(bag.mask_fd));
		for (size_t i = 0; i < bag.sandbox.n_fds; i++)
			fprintf(out, "sandbox: %zu\n", file_number(bag.sandbox.fds[i]));
		sandbox_say(&bag.sandbox, out);
		step_bag_close(&bag);
	}
	files_close();
	(void)fd_store_free(store);
}

static void journal_make(struct bytes *bytes)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	struct log_journal *journal;
	int pair[2];

	assert_int_equal(log_journal_new(store, &journal, &error), 0);
	log_journal_settle(journal);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_true(fixture_journal(journal, pair[0], pair[1]));
	bytes_of(bytes, fd_store_newest(store, "rb.journal"), journal->bytes);
	(void)log_journal_free(journal);
	(void)fd_store_free(store);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void slot_say(const struct log_slot *slot, FILE *out)
{
	const struct log_slot_head *head = slot->head;
	bool taken = head->state == LOG_SLOT_TAKEN;

	fprintf(out, "\n");
	fields_print(&log_slot_fields, head, out);
	fprintf(out, "\"%.*s\"\n", (int)(taken ? head->size : head->text_size),
		taken ? log_slot_raw(slot) : slot->data + head->text);
}

/* @taken: the slot whose pipe has something in it */
static void journal_say(struct fd_store *store, unsigned taken, FILE *out)
{
	struct error error = ERROR_INIT;
	struct log_journal *journal;
	struct log_slot *slot;
	char name[FD_STORE_NAME_MAX];
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(write(pair[1], " another", 8), 8);
	(void)snprintf(name, sizeof(name), "rb.i%u", taken);
	assert_int_equal(fd_store_put(store, name, pair[0]), 0);
	(void)snprintf(name, sizeof(name), "rb.o%u", taken);
	assert_int_equal(fd_store_put(store, name, pair[1]), 0);
	if (log_journal_check(store, &error) < 0)
		fprintf(out, "%s\n", error.text);
	assert_int_equal(log_journal_new(store, &journal, &error), 0);
	while ((slot = log_journal_recover(journal, ORDER)) != NULL)
		slot_say(slot, out);
	log_journal_settle(journal);
	(void)log_journal_free(journal);
}

static void journal_read(const struct bytes *bytes, FILE *out)
{
	struct fd_store *store = store_new();

	assert_int_equal(fd_store_put(store, "rb.journal", memory_of(bytes)), 0);
	journal_say(store, 61, out);
	(void)fd_store_free(store);
}

static void status_make(struct bytes *bytes)
{
	const struct sandbox_status status = {
		.how = SANDBOX_EXEC_FAILED,
		.code = 2,
		.no_files_left = 1,
		.cpu_user_usec = 0x100000001,
		.cpu_system_usec = 12345,
		.process_peak = 0x200000002,
		.disk_bytes = 0x300000003,
		.disk_free = 4096,
		.text = "cannot execute /bin/nothing",
	};
	struct sandbox_status_head head = {.magic = SANDBOX_STATUS_MAGIC};

	*bytes = (struct bytes){.data = malloc(SANDBOX_STATUS_BYTES_MAX)};
	assert_non_null(bytes->data);
	head.size =
		(uint32_t)fields_pack(&sandbox_status_fields, &status, bytes->data + sizeof(head),
				      SANDBOX_STATUS_BYTES_MAX - sizeof(head));
	memcpy(bytes->data, &head, sizeof(head));
	bytes->used = bytes->size = sizeof(head) + head.size;
	/* written whole, with room for what a later version adds */
	assert_true(bytes->size < SANDBOX_STATUS_BYTES_MAX / 2);
}

static void status_read_bytes(const struct bytes *bytes, FILE *out)
{
	struct sandbox_status status;
	int r = status_parse(bytes->data, bytes->size, &status);

	if (r < 0)
		fprintf(out, "error %d\n", r);
	fields_print(&sandbox_status_fields, &status, out);
}

static void mask_make(struct bytes *bytes)
{
	int fd = step_mask_new(fixture_values, ARRAY_SIZE(fixture_values));
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	bytes_of(bytes, fd, (size_t)st.st_size);
	(void)close(fd);
}

static void mask_read(const struct bytes *bytes, FILE *out)
{
	struct step_mask_value values[8];
	int n = step_mask_parse(bytes->data, bytes->size, values, ARRAY_SIZE(values));

	fprintf(out, "values: %d\n", n);
	for (int i = 0; i < n; i++) {
		for (size_t k = 0; k < values[i].size; k++)
			fprintf(out, "%02x", ((const unsigned char *)values[i].data)[k]);
		fprintf(out, "\n");
	}
}

static const struct kind {
	const char *name;
	void (*make)(struct bytes *bytes);
	void (*read)(const struct bytes *bytes, FILE *out);
} kinds[] = {
	{"ledger", ledger_make, ledger_read},
	{"sandbox", sandbox_make, sandbox_read},
	{"bag", bag_make, bag_read},
	{"journal", journal_make, journal_read},
	{"status", status_make, status_read_bytes},
	{"mask", mask_make, mask_read},
};

/* ---- golden files ---- */

/* Return: false when there is none. */
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
	/* zeroes at the end are not said */
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

static char *text_of(const struct kind *kind, const struct bytes *bytes)
{
	struct bytes whole = *bytes;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	/* messages have no zeroes that are not said */
	if (bytes->size < 65536 && bytes->used < bytes->size) {
		whole.data = calloc(1, bytes->size);
		assert_non_null(whole.data);
		memcpy(whole.data, bytes->data, bytes->used);
		whole.used = whole.size;
	}
	kind->read(&whole, out);
	assert_int_equal(fclose(out), 0);
	if (whole.data != bytes->data)
		free(whole.data);
	return text;
}

/* Bytes of @format are read as the text beside them says. */
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

/* A member without a line is lost at the next upgrade: each gap is one that is meant. */
static void test_tables_have_all(void **state)
{
	static const struct {
		const struct field_table *table;
		size_t gaps; /* .mask of a mask_stream, and padding */
	} tables[] = {
		{&kept_bag_fields, 0},		{&kept_ledger_fields, 0},
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

/* ---- layouts that no version has had ---- */

struct variant {
	struct field_table table;
	struct field fields[FIELDS_PER_TABLE_MAX];
	uint64_t rest;
};

/* The same fields in the opposite order, numbers wider, gaps between them, one that is new. */
static void variant_make(const struct field_table *table, struct variant *variant)
{
	size_t at = 64;

	*variant = (struct variant){.table = {.name = table->name,
					      .fields = variant->fields,
					      .n_fields = table->n_fields + 1}};
	for (size_t i = table->n_fields; i > 0; i--) {
		struct field *field = &variant->fields[table->n_fields - i];

		*field = table->fields[i - 1];
		if (field->count == 1 && field->type != FIELD_TYPE_RECORD &&
		    field->type != FIELD_TYPE_TEXT && field->type != FIELD_TYPE_BYTES) {
			if (field->type == FIELD_TYPE_BOOL)
				field->type = FIELD_TYPE_UINT;
			field->size = field->stride = 8;
		} else if (field->type == FIELD_TYPE_TEXT) {
			field->size = field->stride = field->size + 20;
		}
		field->offset = (uint32_t)at;
		at = (at + (size_t)field->count * field->stride + 24 + 7) / 8 * 8;
	}
	for (size_t i = 0; i < table->n_fields; i++) {
		struct field *ring = &variant->fields[i];

		for (size_t k = 0; ring->counter != FIELDS_NO_COUNTER && k < table->n_fields; k++) {
			if (table->fields[k].offset == ring->counter) {
				ring->counter = variant->fields[table->n_fields - 1 - k].offset;
				break;
			}
		}
	}
	variant->fields[table->n_fields] = (struct field){.name = "new",
							  .tag = 9999,
							  .type = FIELD_TYPE_UINT,
							  .offset = 8,
							  .size = 8,
							  .count = 1,
							  .stride = 8,
							  .counter = FIELDS_NO_COUNTER};
	variant->table.size = at;
}

/* A struct of ours as that version would have it. */
static void variant_write(const struct field_table *table, const void *object,
			  const struct variant *variant, char *out)
{
	char layout[8192];
	size_t size = fields_layout(table, layout, sizeof(layout));
	struct error error = ERROR_INIT;
	const uint64_t new = 77;

	assert_true(size <= sizeof(layout));
	memset(out, 0x5a, variant->table.size);
	assert_int_equal(
		fields_convert(layout, size, object, table->size, &variant->table, out, &error), 0);
	memcpy(out + 8, &new, sizeof(new));
}

/* Return: memory with the three steps of the fixture, remembering @n_orders. */
static int foreign_ledger(uint64_t n_orders, unsigned flags, uint32_t phase)
{
	static struct variant head, step;
	struct kept_ledger kept = {.head_at = 20000,
				   .begun_at = 24576,
				   .n_orders = n_orders,
				   .steps_at = 24576 + (1 << 21),
				   .n_steps = 100};
	struct ledger_head our_head = {.n_touched = 3, .highest = 1000003};
	struct ledger_step *our_step = calloc(1, sizeof(*our_step));
	int fd = memfd_create("foreign", MFD_CLOEXEC);
	char described[KEPT_DESCRIBED_MAX], *data;
	size_t size;

	assert_non_null(our_step);
	(void)snprintf(our_head.instance, sizeof(our_head.instance),
		       "0123456789abcdef0123456789abcdef");
	variant_make(&ledger_head_fields, &head);
	variant_make(&ledger_step_fields, &step);
	step.fields[step.table.n_fields - 1].flags = (uint8_t)flags;
	kept.head_size = head.table.size;
	kept.step_size = step.table.size + 100;
	size = kept_describe(&kept_ledger_fields, &kept, KEPT_LEDGER_MAGIC,
			     (const struct kept_layout[]){{&kept.head_layout, &head.table},
							  {&kept.step_layout, &step.table}},
			     2, described);
	assert_true(size > 0 && size < 20000);
	data = calloc(1, kept.steps_at + 100 * kept.step_size);
	assert_non_null(data);
	memcpy(data, described, size);
	variant_write(&ledger_head_fields, &our_head, &head, data + kept.head_at);
	for (uint64_t order = 1000000; order < 1000004; order++)
		data[kept.begun_at + order % n_orders / 8] |= (char)(1 << order % 8);
	for (unsigned i = 0; i < 3; i++) {
		memset(our_step, 0, sizeof(*our_step));
		fixture_step(our_step, i);
		if (i == 2 && phase)
			our_step->phase = phase;
		variant_write(&ledger_step_fields, our_step, &step,
			      data + kept.steps_at + i * kept.step_size);
	}
	assert_int_equal(ftruncate(fd, (off_t)(kept.steps_at + 100 * kept.step_size)), 0);
	assert_int_equal(pwrite(fd, data, kept.steps_at + 100 * kept.step_size, 0),
			 kept.steps_at + 100 * kept.step_size);
	free(data);
	free(our_step);
	return fd;
}

static void test_ledger_of_another_version(void **state)
{
	struct bytes ours;
	struct ledger *ledger;
	struct error error = ERROR_INIT;
	cleanup_free char *expected = NULL;

	ledger_make(&ours);
	expected = text_of(&kinds[0], &ours);
	free(ours.data);
	for (uint64_t n_orders = 1 << 18; n_orders <= 1 << 22; n_orders <<= 2) {
		cleanup_free char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		ledger_say(foreign_ledger(n_orders, 0, 0), out);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, expected);
	}
	/* it is a new one, with room for more, and what is older than they remember was begun */
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, 0, 0), NULL, &ledger, &error), 0);
	assert_true(ledger_converted(ledger));
	assert_true(ledger_order_known(ledger, 1000003 - (1 << 18)));
	assert_false(ledger_order_known(ledger, 1000003 - (1 << 18) + 1));
	assert_non_null(ledger_step_new(ledger));
	assert_true(ledger_memory_ours(ledger_fd(ledger)));
	(void)ledger_free(ledger);
	/* what must not be left out, and what cannot be known */
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, FIELD_MUST, 0), NULL, &ledger, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "field 9999, which only a newer version knows"));
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, 0, 77), NULL, &ledger, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "phase"));
}

/* In place as well: a version with the same fields may know more enumerators. */
static void test_ledger_with_unknown_enumerators(void **state)
{
	struct error error = ERROR_INIT;

	for (int i = 0; i < 5; i++) {
		struct ledger *ledger, *next;
		struct ledger_step *step;
		int fd;

		assert_int_equal(ledger_new(-1, "who", &ledger, &error), 0);
		step = ledger_step_new(ledger);
		fixture_step(step, 2);
		fd = dup(ledger_fd(ledger));
		assert_int_equal(ledger_new(dup(fd), NULL, &next, &error), 0);
		(void)ledger_free(next);
		if (i == 0)
			step->phase = 99;
		else if (i == 1)
			step->cause = 99;
		else if (i == 2)
			step->report.result = (enum step_result)99;
		else if (i == 3)
			step->outcome.how = (enum sandbox_exit)99;
		else
			step->outcome.memory_scope = (enum sandbox_memory_scope)99;
		assert_int_equal(ledger_new(fd, NULL, &next, &error), -EBADMSG);
		(void)ledger_free(ledger);
	}
}

/* Ids of one step must not be those of another: where slots stand for other ids, not at all. */
static void test_sandbox_with_other_ids(void **state)
{
	struct kept_sandbox kept = {.slot = 18,
				    .ids_first = 0x70110000,
				    .ids_range = 65536,
				    .rule_bytes = NETWORK_RULE_BYTES};
	struct error error = ERROR_INIT;

	for (int i = 0; i < 4; i++) {
		char data[4096];
		const uint32_t magic = SANDBOX_KEPT_MAGIC;
		const struct sandbox_kept packed = {
			.data = data,
			.size = 4 + fields_pack(&kept_sandbox_fields, &kept, data + 4, 4092)};

		memcpy(data, &magic, sizeof(magic));
		assert_int_equal(sandbox_kept_check(&packed, &error),
				 i == 0 || i == 3 ? 0 : -ENOTSUP);
		kept.ids_first = i == 0 ? 0x70120000 : 0x70110000;
		kept.ids_range = i == 1 ? 131072 : 65536;
		if (i == 2)
			kept.slot = 0;
	}
	assert_non_null(strstr(error.text, "user ids that this version gives to others"));
}

static int foreign_journal(size_t n_slots, size_t buffer_size, unsigned flags)
{
	static struct variant slot;
	struct kept_journal kept = {
		.heads_at = 20000, .n_slots = n_slots, .buffer_size = buffer_size};
	struct log_slot_head heads[3] = {
		{.state = LOG_SLOT_QUEUED,
		 .stream = 1,
		 .sink = ORDER,
		 .sequence = 75,
		 .at_usec = 1,
		 .text = 8,
		 .text_size = 12},
		{.state = LOG_SLOT_WRITING,
		 .stream = 2,
		 .sink = ORDER,
		 .sequence = 74,
		 .at_usec = 2,
		 .base = 4096,
		 .text_size = 14},
		{.state = LOG_SLOT_TAKEN, .stream = 1, .sink = ORDER, .size = 16, .masked = 1},
	};
	char described[KEPT_DESCRIBED_MAX], *data;
	int fd = memfd_create("foreign", MFD_CLOEXEC);
	size_t size, all;

	fixture_mask(&heads[0].mask, 'm');
	variant_make(&log_slot_fields, &slot);
	slot.fields[slot.table.n_fields - 1].flags = (uint8_t)flags;
	kept.head_size = slot.table.size;
	kept.data_at = 20000 + n_slots * kept.head_size;
	size = kept_describe(&kept_journal_fields, &kept, KEPT_JOURNAL_MAGIC,
			     &(const struct kept_layout){&kept.slot_layout, &slot.table}, 1,
			     described);
	assert_true(size > 0);
	all = kept.data_at + n_slots * 2 * buffer_size;
	data = calloc(1, all);
	assert_non_null(data);
	memcpy(data, described, size);
	for (size_t i = 0; i < 3; i++) {
		char *text = data + kept.data_at + (n_slots - 3 + i) * 2 * buffer_size;

		variant_write(&log_slot_fields, &heads[i], &slot,
			      data + kept.heads_at + (n_slots - 3 + i) * kept.head_size);
		memcpy(text, i == 0 ? "        queued text\n" : "being written\n",
		       i == 0 ? 20 : 14);
		memcpy(text + buffer_size, "half and", i == 2 ? 8 : 0);
	}
	assert_int_equal(ftruncate(fd, (off_t)all), 0);
	assert_int_equal(pwrite(fd, data, all, 0), all);
	free(data);
	return fd;
}

static void test_journal_of_another_version(void **state)
{
	static const struct {
		size_t n_slots, buffer_size;
	} sizes[] = {{3, 4096}, {80, 300000}, {LOG_BUFFERS_MAX, LOG_BUFFER_SIZE}};
	struct error error = ERROR_INIT;
	struct fd_store *store;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		struct log_slot *slot;
		struct log_journal *journal;

		assert_non_null(out);
		store = store_new();
		assert_int_equal(
			fd_store_put(store, "rb.journal.4",
				     foreign_journal(sizes[i].n_slots, sizes[i].buffer_size, 0)),
			0);
		journal_say(store, (unsigned)sizes[i].n_slots - 1, out);
		assert_int_equal(fclose(out), 0);
		assert_non_null(strstr(text, "sequence: 74"));
		assert_non_null(strstr(text, "base: 4096"));
		assert_non_null(strstr(text, "\"being written\n\""));
		assert_true(strstr(text, "\"queued text\n\"") >
			    strstr(text, "\"being written\n\""));
		assert_non_null(strstr(text, "mask.held: 6d6d6d6d6d00"));
		assert_true(strstr(text, "\"half and another\"") >
			    strstr(text, "\"queued text\n\""));
		/* another in its place */
		assert_true(fd_store_get(store, "rb.journal.5") >= 0);
		assert_int_equal(fd_store_get(store, "rb.journal.4"), -1);
		assert_int_equal(log_journal_new(store, &journal, &error), 0);
		log_journal_settle(journal);
		assert_true(fd_store_get(store, "rb.journal.5") >= 0);
		for (size_t k = 0; k < LOG_BUFFERS_MAX; k++) {
			slot = log_journal_take(journal);
			assert_non_null(slot);
			memset(slot->data, 'x', 2 * LOG_BUFFER_SIZE);
		}
		(void)log_journal_free(journal);
		(void)fd_store_free(store);
	}
	store = store_new();
	assert_int_equal(fd_store_put(store, "rb.journal.1", foreign_journal(3, 4096, FIELD_MUST)),
			 0);
	assert_int_equal(log_journal_check(store, &error), -ENOTSUP);
	assert_true(fd_store_get(store, "rb.journal.1") >= 0);
	(void)fd_store_free(store);
}

/* ---- one in place of the other ---- */

static void test_renewed(void **state)
{
	struct fd_store *store = store_new();
	int old = memfd_create("old", MFD_CLOEXEC), new = memfd_create("new", MFD_CLOEXEC);

	assert_int_equal(fd_store_newest(store, "rb.ledger"), -1);
	assert_int_equal(fd_store_put(store, "rb.ledger", old), 0);
	assert_int_equal(fd_store_newest(store, "rb.ledger"), old);
	/* killed when both were there */
	assert_int_equal(fd_store_put(store, "rb.ledger.9", new), 0);
	assert_int_equal(fd_store_put(store, "rb.ledger.x", memfd_create("x", MFD_CLOEXEC)), 0);
	assert_int_equal(fd_store_put(store, "rb.ledgers", memfd_create("y", MFD_CLOEXEC)), 0);
	assert_int_equal(fd_store_newest(store, "rb.ledger"), new);
	assert_int_equal(fd_store_renew(store, "rb.ledger", memfd_create("z", MFD_CLOEXEC)), 0);
	assert_int_equal(fd_store_get(store, "rb.ledger"), -1);
	assert_int_equal(fd_store_get(store, "rb.ledger.9"), -1);
	assert_true(fd_store_get(store, "rb.ledger.10") >= 0);
	assert_true(fd_store_get(store, "rb.ledgers") >= 0);
	(void)fd_store_free(store);
}

/* ---- what cannot be read ---- */

/* The fd store of one that a service manager started and that cannot go on: left as it is. */
static void test_refused_and_kept(void **state)
{
	struct daemon daemon;
	struct error error = ERROR_INIT;
	struct ledger_step *step;
	int bag, pair[2], fds[1];

	(void)setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	(void)setenv("FDSTORE", "10", 1);
	daemon = (struct daemon){.fds = store_new()};
	assert_true(fd_store_outlives(daemon.fds));
	(void)fd_store_put(daemon.fds, "rb.ledger.3", foreign_ledger(1 << 18, FIELD_MUST, 0));
	assert_int_equal(adopt_ledger(&daemon, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "refusing to start"));
	assert_non_null(strstr(error.text, "only a newer version knows"));
	assert_null(daemon.ledger);
	assert_true(fd_store_get(daemon.fds, "rb.ledger.3") >= 0);
	(void)fd_store_free(daemon.fds);

	/* a ledger that can be read, and a bag that cannot */
	daemon = (struct daemon){.fds = store_new()};
	assert_int_equal(ledger_new(-1, "who", &daemon.ledger, &error), 0);
	step = ledger_step_new(daemon.ledger);
	step->order = 5;
	ledger_phase_set(step, LEDGER_RUNNING);
	(void)fd_store_put(daemon.fds, "rb.ledger.1", dup(ledger_fd(daemon.ledger)));
	daemon.ledger = ledger_free(daemon.ledger);
	assert_int_equal(adopt_check(daemon.fds, &error), 0); /* it was being started */
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fds[0] = pair[0];
	bag = fd_bag_make("future", 6, fds, 1);
	(void)fd_store_put(daemon.fds, "rb.s5", bag);
	assert_int_equal(adopt_check(daemon.fds, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "cannot read rb.s5"));
	assert_int_equal(adopt_ledger(&daemon, &error), -EBADMSG);
	assert_true(fd_store_get(daemon.fds, "rb.s5") >= 0);
	(void)fd_store_free(daemon.fds);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("FDSTORE");
}

/* Every byte of what is kept, damaged: at most a refusal. */
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
		cmocka_unit_test(test_ledger_of_another_version),
		cmocka_unit_test(test_ledger_with_unknown_enumerators),
		cmocka_unit_test(test_sandbox_with_other_ids),
		cmocka_unit_test(test_journal_of_another_version),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_refused_and_kept),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
