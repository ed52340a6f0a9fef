/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_KEPT_KINDS_H
#define TESTS_UNIT_KEPT_KINDS_H

/* For each kind of state that outlives the process: make its bytes, and print what is read. */

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

#define ORDER 1000002

/* struct bytes - of a golden file; bytes behind .used are zeroes */
struct bytes {
	char *data;
	size_t used, size;
};

static inline struct fd_store *store_new(void)
{
	int highest;
	struct fd_store *store = fd_store_inherit(&highest);

	assert_non_null(store);
	return store;
}

/* Return: a new memory file with @bytes. */
static inline int memory_of(const struct bytes *bytes)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes->size), 0);
	assert_int_equal(pwrite(fd, bytes->data, bytes->used, 0), bytes->used);
	return fd;
}

static inline void bytes_of(struct bytes *bytes, int fd, size_t used)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*bytes = (struct bytes){malloc(used), used, (size_t)st.st_size};
	assert_non_null(bytes->data);
	assert_int_equal(pread(fd, bytes->data, used, 0), used);
}

/* ---- one of each kind: make what this version writes, and say what can be read ---- */

static inline void ledger_make(struct bytes *bytes)
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

static inline void ledger_say(int fd, FILE *out)
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

static inline void ledger_read(const struct bytes *bytes, FILE *out)
{
	ledger_say(memory_of(bytes), out);
}

static inline int persist(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	return sandbox_persist(sandbox, ret_kept);
}

static int fds_made[32];
static size_t n_made;

static inline int file_make(void)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	assert_true(fd >= 0);
	fds_made[n_made++] = fd;
	return fd;
}

static inline void files_close(void)
{
	while (n_made > 0)
		(void)close(fds_made[--n_made]);
}

/* The number of the descriptor among those that were made, found by its file. */
static inline size_t file_number(int fd)
{
	struct stat one, other;

	for (size_t i = 0; i < n_made; i++) {
		if (fstat(fd, &one) == 0 && fstat(fds_made[i], &other) == 0 &&
		    one.st_ino == other.st_ino)
			return i;
	}
	return 99;
}

static inline void sandbox_make_fixture(struct fixture_sandbox *fixture)
{
	int fds[7];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = file_make();
	fixture_sandbox(fixture, fds);
}

static inline void sandbox_make(struct bytes *bytes)
{
	struct fixture_sandbox fixture;
	struct sandbox_kept kept;

	sandbox_make_fixture(&fixture);
	assert_int_equal(sandbox_persist(&fixture.sandbox, &kept), 0);
	*bytes = (struct bytes){kept.data, kept.size, kept.size};
	assert_int_equal(kept.n_fds, 6);
	files_close();
}

static inline void sandbox_say(const struct sandbox_kept *data, FILE *out)
{
	struct error error = ERROR_INIT;
	struct kept_sandbox kept;
	uint16_t kinds[SANDBOX_KEPT_FDS_MAX];

	if (sandbox_kept_read(data, &kept, kinds, &error) < 0)
		fprintf(out, "%s\n", error.text);
	else
		fields_print(&kept_sandbox_fields, &kept, out);
}

static inline void sandbox_read(const struct bytes *bytes, FILE *out)
{
	const struct sandbox_kept kept = {.data = bytes->data, .size = bytes->size, .n_fds = 6};

	sandbox_say(&kept, out);
}

static inline void bundle_make(struct bytes *bytes)
{
	static const struct sandbox_ops ops = {.persist = persist};
	struct daemon daemon = {.fds = NULL};
	struct step_table table = {.daemon = &daemon, .supervisor = {.ops = &ops}};
	struct step step = {.table = &table, .supervised = {.supervisor = &table.supervisor}};
	struct step_setup setup = {.log_fd = file_make(), .index_fd = file_make()};
	struct fixture_sandbox fixture;
	char layers[2][IMAGE_ID_SIZE];
	int bundle, fds[FD_BUNDLE_FDS_MAX];
	size_t n_fds;
	ssize_t size;

	setup.stdout_pipe[0] = file_make();
	setup.stderr_pipe[0] = file_make();
	setup.cacher_fd = file_make();
	step.order.mask_fd = file_make();
	sandbox_make_fixture(&fixture);
	step.supervised.sandbox = fixture.sandbox;
	step.order.order = ORDER;
	step.order.n_layers = 2;
	for (size_t i = 0; i < 2; i++)
		(void)snprintf(layers[i], sizeof(layers[i]), "%064d", 0);
	memset(layers[0], 'a', 64);
	memset(layers[1], 'b', 64);
	step.order.layers = layers[0];
	bundle = step_fd_bundle_make(&step, &setup);
	assert_true(bundle >= 0);
	*bytes = (struct bytes){.data = malloc(FD_BUNDLE_BYTES_MAX)};
	size = fd_bundle_open(bundle, bytes->data, FD_BUNDLE_BYTES_MAX, fds, &n_fds);
	assert_true(size > 0);
	assert_int_equal(n_fds, 12);
	bytes->used = bytes->size = (size_t)size;
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	(void)close(bundle);
	files_close();
}

static inline void bundle_read(const struct bytes *bytes, FILE *out)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	char name[FD_STORE_NAME_MAX];
	struct step_fd_bundle bundle;

	for (size_t i = 0; i < 12; i++)
		(void)file_make();
	step_fd_bundle_name(ORDER, name);
	assert_int_equal(
		fd_store_put(store, name, fd_bundle_make(bytes->data, bytes->size, fds_made, 12)),
		0);
	if (step_fd_bundle_open(store, ORDER, &bundle, &error) < 0) {
		fprintf(out, "%s\n", error.text);
	} else {
		for (size_t i = 0; i < bundle.n_layers; i++)
			fprintf(out, "layer %s\n", bundle.layers + i * IMAGE_ID_SIZE);
		for (size_t i = 0; i < STEP_FD_NUM; i++)
			fprintf(out, "descriptor %zu: %zu\n", i, file_number(bundle.fds[i]));
		fprintf(out, "mask: %zu\n", file_number(bundle.mask_fd));
		for (size_t i = 0; i < bundle.sandbox.n_fds; i++)
			fprintf(out, "sandbox: %zu\n", file_number(bundle.sandbox.fds[i]));
		sandbox_say(&bundle.sandbox, out);
		step_fd_bundle_close(&bundle);
	}
	files_close();
	(void)fd_store_free(store);
}

static inline void journal_make(struct bytes *bytes)
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

static inline void slot_say(const struct log_slot *slot, FILE *out)
{
	const struct log_slot_head *head = slot->head;
	bool taken = head->state == LOG_SLOT_TAKEN;

	fprintf(out, "\n");
	fields_print(&log_slot_fields, head, out);
	fprintf(out, "\"%.*s\"\n", (int)(taken ? head->size : head->text_size),
		taken ? log_slot_raw(slot) : slot->data + head->text);
}

/* @taken: the slot whose pipe has output */
static inline void journal_say(struct fd_store *store, unsigned taken, FILE *out)
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

static inline void journal_read(const struct bytes *bytes, FILE *out)
{
	struct fd_store *store = store_new();

	assert_int_equal(fd_store_put(store, "rb.journal", memory_of(bytes)), 0);
	journal_say(store, 61, out);
	(void)fd_store_free(store);
}

static inline void status_make(struct bytes *bytes)
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
	/* it is written by one call, and leaves room for fields of later versions */
	assert_true(bytes->size < SANDBOX_STATUS_BYTES_MAX / 2);
}

static inline void status_read_bytes(const struct bytes *bytes, FILE *out)
{
	struct sandbox_status status;
	int r = status_parse(bytes->data, bytes->size, &status);

	if (r < 0)
		fprintf(out, "error %d\n", r);
	fields_print(&sandbox_status_fields, &status, out);
}

static inline void mask_make(struct bytes *bytes)
{
	int fd = step_mask_new(fixture_values, ARRAY_SIZE(fixture_values));
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	bytes_of(bytes, fd, (size_t)st.st_size);
	(void)close(fd);
}

static inline void mask_read(const struct bytes *bytes, FILE *out)
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
	{"ledger", ledger_make, ledger_read},	    {"sandbox", sandbox_make, sandbox_read},
	{"bag", bundle_make, bundle_read},	    {"journal", journal_make, journal_read},
	{"status", status_make, status_read_bytes}, {"mask", mask_make, mask_read},
};

static inline char *text_of(const struct kind *kind, const struct bytes *bytes)
{
	struct bytes whole = *bytes;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	/* the text of a golden file omits zeroes at the end, which a message needs */
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

#endif
