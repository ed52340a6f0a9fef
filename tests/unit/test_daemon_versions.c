/* SPDX-License-Identifier: Apache-2.0 */

/*
 * State that future versions may leave: members of their structs are in another order, have
 * other sizes, are more, or are marked as such that this version must not ignore.
 */

#include "tests/unit/kept_kinds.h"

/* ---- layouts of future versions ---- */

struct variant {
	struct field_table table;
	struct field fields[FIELDS_PER_TABLE_MAX];
	uint64_t rest;
};

/* The same fields in the opposite order, with wider numbers and gaps, and one new field. */
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

/* Write @object, a struct of this version, as @variant lays it out. */
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

/* Return: a ledger with the three steps of the fixture and the bits of @n_orders orders. */
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
	/* it is converted to a new one with free entries; orders without a bit count as begun */
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, 0, 0), NULL, &ledger, &error), 0);
	assert_true(ledger_converted(ledger));
	assert_true(ledger_order_known(ledger, 1000003 - (1 << 18)));
	assert_false(ledger_order_known(ledger, 1000003 - (1 << 18) + 1));
	assert_non_null(ledger_step_new(ledger));
	assert_true(ledger_memory_ours(ledger_fd(ledger)));
	(void)ledger_free(ledger);
	/* a field that must not be ignored, and an unknown enumerator */
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, FIELD_MUST, 0), NULL, &ledger, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "field 9999, which only a newer version knows"));
	assert_int_equal(ledger_new(foreign_ledger(1 << 18, 0, 77), NULL, &ledger, &error),
			 -ENOTSUP);
	assert_non_null(strstr(error.text, "phase"));
}

/* A version with the same layout may know more enumerators. */
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

/* Two steps must not share ids: a sandbox whose slot means other ids here is refused. */
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
		/* a new journal has replaced it */
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

/* ---- replacing a descriptor ---- */

static void test_renewed(void **state)
{
	struct fd_store *store = store_new();
	int old = memfd_create("old", MFD_CLOEXEC), new = memfd_create("new", MFD_CLOEXEC);

	assert_int_equal(fd_store_newest(store, "rb.ledger"), -1);
	assert_int_equal(fd_store_put(store, "rb.ledger", old), 0);
	assert_int_equal(fd_store_newest(store, "rb.ledger"), old);
	/* the predecessor was killed while both were stored */
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

/* ---- state that cannot be read ---- */

/* Under a service manager a runbookd that cannot go on leaves the fd store as it is. */
static void test_refused_and_kept(void **state)
{
	struct daemon daemon;
	struct error error = ERROR_INIT;
	struct ledger_step *step;
	int bundle, pair[2], fds[1];

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

	/* the ledger can be read, a bundle cannot */
	daemon = (struct daemon){.fds = store_new()};
	assert_int_equal(ledger_new(-1, "who", &daemon.ledger, &error), 0);
	step = ledger_step_new(daemon.ledger);
	step->order = 5;
	ledger_phase_set(step, LEDGER_BEGUN);
	ledger_phase_set(step, LEDGER_RUNNING);
	(void)fd_store_put(daemon.fds, "rb.ledger.1", dup(ledger_fd(daemon.ledger)));
	daemon.ledger = ledger_free(daemon.ledger);
	assert_int_equal(adopt_check(daemon.fds, &error), 0); /* no bundle: it was being started */
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fds[0] = pair[0];
	bundle = fd_bundle_make("future", 6, fds, 1);
	(void)fd_store_put(daemon.fds, "rb.s5", bundle);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ledger_of_another_version),
		cmocka_unit_test(test_ledger_with_unknown_enumerators),
		cmocka_unit_test(test_sandbox_with_other_ids),
		cmocka_unit_test(test_journal_of_another_version),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_refused_and_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
