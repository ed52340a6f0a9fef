/* SPDX-License-Identifier: Apache-2.0 */

/* State that outlives the process: fd bundles, the fd store, the ledger, an adopted log pump. */

#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "daemon/adopt.h"
#include "daemon/daemon.h"
#include "daemon/fd_store.h"
#include "daemon/ledger.h"
#include "daemon/listen_persist.h"
#include "daemon/log_journal.h"
#include "daemon/log_pump.h"
#include "daemon/step_persist.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct fd_store *store_new(void)
{
	int highest;
	struct fd_store *store = fd_store_inherit(&highest);

	assert_non_null(store);
	return store;
}

static bool same_file(int a, int b)
{
	struct stat one, two;

	return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_ino == two.st_ino &&
	       one.st_dev == two.st_dev;
}

/* ---- fd bundles ---- */

static void test_fd_bundle(void **state)
{
	static char data[40000], got[FD_BUNDLE_BYTES_MAX];
	int pair[2], fds[FD_BUNDLE_FDS_MAX];
	size_t n_fds;
	int bundle;

	memset(data, 'x', sizeof(data));
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	bundle = fd_bundle_make(data, sizeof(data), pair, 2);
	assert_true(bundle >= 0);
	/* reading does not change the bundle */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fd_bundle_open(bundle, got, sizeof(got), fds, &n_fds),
				 sizeof(data));
		assert_memory_equal(got, data, sizeof(data));
		assert_int_equal(n_fds, 2);
		assert_true(same_file(fds[0], pair[0]) && same_file(fds[1], pair[1]));
		assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	/* a buffer that is too small is refused, and no descriptor is left open */
	assert_int_equal(fd_bundle_open(bundle, got, 100, fds, &n_fds), -EMSGSIZE);
	assert_int_equal(n_fds, 0);
	/* the bundle has copies of the descriptors: the pipe has a writer until it is closed */
	(void)close(pair[1]);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(pair[0], got, 1), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(bundle);
	assert_int_equal(read(pair[0], got, 1), 0);
	(void)close(pair[0]);
	assert_int_equal(fd_bundle_make(data, FD_BUNDLE_BYTES_MAX + 1, fds, 1), -E2BIG);
	assert_int_equal(fd_bundle_make(data, 1, fds, 0), -E2BIG);
}

static void test_fd_bundle_of_something_else(void **state)
{
	char got[16];
	int fds[FD_BUNDLE_FDS_MAX], pair[2];
	size_t n_fds;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(fd_bundle_open(pair[0], got, sizeof(got), fds, &n_fds), -ENOTSOCK);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* ---- the store ---- */

static void test_store(void **state)
{
	struct fd_store *store = store_new();
	char expected[128];
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(fd_store_put(store, "rb.one", pair[0]), 0);
	assert_int_equal(fd_store_put(store, "rb.two", pair[1]), 0);
	assert_int_equal(fd_store_get(store, "rb.one"), pair[0]);
	assert_int_equal(fd_store_get(store, "rb.three"), -1);
	assert_int_equal(fd_store_hand_on(store, true), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), 0);
	(void)snprintf(expected, sizeof(expected), "%d rb.one=%d rb.two=%d", (int)getpid(), pair[0],
		       pair[1]);
	assert_string_equal(getenv("RUNBOOK_KEPT"), expected);
	assert_int_equal(fd_store_hand_on(store, false), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	assert_null(getenv("RUNBOOK_KEPT"));
	fd_store_drop(store, "rb.one");
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_string_equal(fd_store_name(store, 0), "rb.two");
	assert_null(fd_store_name(store, 1));
	fd_store_drop(store, "rb.one");
	assert_int_equal(
		fd_store_put(store, "rb.a name that is far too long for this store", dup(pair[1])),
		-ENAMETOOLONG);
	fd_store_clear(store);
	assert_int_equal(fcntl(pair[1], F_GETFD), -1);
	(void)fd_store_free(store);
}

static void test_store_inherits(void **state)
{
	struct fd_store *store;
	char text[128];
	int pair[2], other[2], highest;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	/* refused: another pid, then a name without our prefix, then malformed entries */
	(void)snprintf(text, sizeof(text), "%d rb.one=%d", (int)getpid() + 1, pair[0]);
	(void)setenv("RUNBOOK_KEPT", text, 1);
	store = fd_store_inherit(&highest);
	assert_null(fd_store_name(store, 0));
	assert_int_equal(highest, 2);
	(void)fd_store_free(store);
	(void)snprintf(text, sizeof(text),
		       "%d rb.one=%d foreign=%d rb.bad=x rb.out=99999 rb rb.=", (int)getpid(),
		       pair[0], other[0]);
	(void)setenv("RUNBOOK_KEPT", text, 1);
	store = fd_store_inherit(&highest);
	assert_int_equal(fd_store_get(store, "rb.one"), pair[0]);
	assert_int_equal(highest, pair[0]);
	assert_int_equal(fd_store_get(store, "foreign"), -1);
	assert_int_equal(fcntl(other[0], F_GETFD), -1);
	assert_null(fd_store_name(store, 1));
	assert_null(getenv("RUNBOOK_KEPT"));
	(void)fd_store_free(store);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	(void)close(pair[1]);
	(void)close(other[1]);
}

/* ---- the ledger ---- */

static void test_ledger_orders(void **state)
{
	static const uint64_t noted[] = {1, 2, 5, 700000, 3, 1048577, 1048576, 1048581, 9000000};
	struct error error = ERROR_INIT;
	struct ledger *ledger;

	assert_int_equal(ledger_new(-1, "who", &ledger, &error), 0);
	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		if (i > 0)
			assert_false(i != 6 && ledger_order_known(ledger, noted[i]) &&
				     noted[i] > noted[i - 1]);
		ledger_order_note(ledger, noted[i]);
		assert_true(ledger_order_known(ledger, noted[i]));
	}
	assert_true(ledger_order_known(ledger, 4)); /* so old that it counts as begun */
	assert_false(ledger_order_known(ledger, 8999999));
	assert_false(ledger_order_known(ledger, 9000001));
	assert_false(ledger_order_known(ledger, 8000000));
	(void)ledger_free(ledger);
}

static void test_ledger_inherited(void **state)
{
	struct error error = ERROR_INIT;
	struct ledger *ledger, *next;
	struct ledger_step *steps[5], *at;
	const uint32_t magic = 77;
	int fd;

	assert_int_equal(ledger_new(-1, "who we are", &ledger, &error), 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		steps[i] = ledger_step_new(ledger);
		steps[i]->order = 100 + i;
		ledger_phase_set(steps[i], LEDGER_BEGUN);
		ledger_phase_set(steps[i], LEDGER_RUNNING);
		ledger_order_note(ledger, 100 + i);
	}
	ledger_step_free(ledger, steps[1]);
	ledger_step_free(ledger, steps[3]);
	fd = dup(ledger_fd(ledger));
	(void)ledger_free(ledger);

	assert_int_equal(ledger_new(dup(fd), NULL, &next, &error), 0);
	assert_string_equal(ledger_instance(next), "who we are");
	at = ledger_step_next(next, NULL);
	assert_int_equal(at->order, 100);
	at = ledger_step_next(next, at);
	assert_int_equal(at->order, 102);
	at = ledger_step_next(next, at);
	assert_int_equal(at->order, 104);
	assert_null(ledger_step_next(next, at));
	assert_true(ledger_order_known(next, 101));
	assert_false(ledger_order_known(next, 99));
	/* the two entries that are free come first; entries are zeroed */
	for (int i = 0; i < 3; i++) {
		at = ledger_step_new(next);
		assert_int_equal(at->order, 0);
		assert_int_equal(at->phase, LEDGER_FREE);
		ledger_phase_set(at, LEDGER_BEGUN);
	}
	(void)ledger_free(next);

	/* bytes that no version wrote */
	assert_int_equal(pwrite(fd, &magic, sizeof(magic), 0), sizeof(magic));
	assert_int_equal(ledger_new(dup(fd), NULL, &next, &error), -EBADMSG);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(ledger_new(fd, NULL, &next, &error), -EBADMSG);
}

/* Bytes that a mask held back may be of a secret: they are wiped when the step has ended. */
static void test_ledger_forgets_secrets(void **state)
{
	static const struct log_kept none;
	struct daemon daemon = {.fds = store_new()};
	struct step_table table = {.daemon = &daemon};
	struct step step = {.table = &table, .order = {.order = 7}};
	struct error error = ERROR_INIT;

	assert_int_equal(ledger_new(-1, "who", &daemon.ledger, &error), 0);
	assert_int_equal(step_persist_begin(&step), 0);
	memset(step.kept->log.masks, 'x', sizeof(step.kept->log.masks));
	step_persist_ended(&step);
	assert_int_equal(step.kept->phase, LEDGER_ENDED);
	assert_memory_equal(step.kept->log.masks, none.masks, sizeof(none.masks));
	step_persist_forget(&step);
	(void)ledger_free(daemon.ledger);
	(void)fd_store_free(daemon.fds);
}

static void test_ledger_is_small(void **state)
{
	struct ledger_step *step;
	struct ledger *ledger;
	struct error error = ERROR_INIT;
	struct stat before, after;

	assert_int_equal(ledger_new(-1, "who", &ledger, &error), 0);
	assert_int_equal(fstat(ledger_fd(ledger), &before), 0);
	step = ledger_step_new(ledger);
	assert_int_equal(fstat(ledger_fd(ledger), &after), 0);
	/* two pages, for what is before the index records and what is behind them */
	assert_in_range((after.st_blocks - before.st_blocks) * 512, 1, 2 * 4096);
	memset(step, 'x', sizeof(*step));
	step->phase = LEDGER_ENDED;
	ledger_step_free(ledger, step);
	assert_ptr_equal(ledger_step_new(ledger), step);
	assert_int_equal(step->phase, LEDGER_FREE);
	assert_int_equal(step->log.n_records, 0);
	assert_int_equal(step->outcome.code, 0);
	assert_string_equal(step->report.reason, "");
	(void)ledger_free(ledger);
}

/* ---- the host ---- */

/* A lock on a file that was replaced is useless; the next step stores the lock in use. */
static void test_host_of_before(void **state)
{
	char state_dir[] = "/tmp/rbtest-adopt.XXXXXX", init_path[PATH_MAX];
	const char *bin = getenv("BIN");
	const struct sandbox_host_options options = {
		.state_dir = state_dir,
		.init_path = init_path,
		.cgroup_name = "runbook-unit-adopt",
		.limits = SANDBOX_LIMITS_BEST_EFFORT,
	};
	struct daemon daemon = {.fds = store_new()};
	struct error error = ERROR_INIT;
	int used[SANDBOX_HOST_FD_NUM];

	(void)snprintf(init_path, sizeof(init_path), "%s/runbook-init", bin ? bin : "build/bin");
	assert_non_null(mkdtemp(state_dir));
	assert_int_equal(chmod(state_dir, 0755), 0);
	assert_int_equal(sandbox_host_new(&daemon.sandbox_host, &options, &error), 0);
	sandbox_host_persist(daemon.sandbox_host, used);
	assert_int_equal(fd_store_put(daemon.fds, "rb.users", dup(used[SANDBOX_HOST_FD_USERS])), 0);
	assert_int_equal(
		fd_store_put(daemon.fds, "rb.network", memfd_create("before", MFD_CLOEXEC)), 0);
	assert_int_equal(
		fd_store_put(daemon.fds, "rb.gateway", memfd_create("before", MFD_CLOEXEC)), 0);
	adopt_host(&daemon);
	assert_true(fd_store_get(daemon.fds, "rb.users") >= 0);
	assert_int_equal(fd_store_get(daemon.fds, "rb.network"), -1);
	assert_int_equal(fd_store_get(daemon.fds, "rb.gateway"), -1);

	fd_store_drop(daemon.fds, "rb.users");
	assert_int_equal(fd_store_put(daemon.fds, "rb.users", memfd_create("before", MFD_CLOEXEC)),
			 0);
	adopt_host(&daemon);
	assert_int_equal(fd_store_get(daemon.fds, "rb.users"), -1);
	(void)sandbox_host_free(daemon.sandbox_host);
	(void)fd_store_free(daemon.fds);
	assert_int_equal(remove_tree(AT_FDCWD, state_dir), 0);
}

/* ---- the journal ---- */

static size_t store_size(const struct fd_store *store)
{
	size_t n = 0;

	while (fd_store_name(store, n))
		n++;
	return n;
}

/* Without a service manager each chunk tries to make a pipe: its descriptors must not pile up. */
static void test_journal_without_its_manager(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct error error = ERROR_INIT;
	struct log_journal *journal;
	struct fd_store *store;
	size_t before;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/rbtest-notify.%d",
		       (int)getpid());
	assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
	(void)setenv("FDSTORE", "10", 1);
	store = store_new();
	assert_true(fd_store_outlives(store));
	assert_int_equal(log_journal_new(store, &journal, &error), 0);
	log_journal_settle(journal);
	before = store_size(store);
	(void)close(manager);
	(void)unlink(address.sun_path);
	for (int i = 0; i < 100; i++)
		assert_null(log_journal_take(journal));
	assert_int_equal(store_size(store), before);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("FDSTORE");
	(void)log_journal_free(journal);
	(void)fd_store_free(store);
}

/* The memory of such a slot has older output, perhaps of another step: it is not used. */
static void test_journal_slot_without_its_pipe(void **state)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	struct log_journal *journal, *next;
	char name[FD_STORE_NAME_MAX];
	struct log_slot *slot;
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(write(pair[1], "hello", 5), 5);
	assert_int_equal(log_journal_new(store, &journal, &error), 0);
	log_journal_settle(journal);
	slot = log_journal_take(journal);
	assert_non_null(slot);
	memcpy(slot->data, "other", 5);
	assert_int_equal(log_slot_pull(slot, 42, 1, pair[0], false), 5);
	(void)snprintf(name, sizeof(name), FD_STORE_PREFIX "i%u", slot->index);
	fd_store_drop(store, name);
	assert_int_equal(log_journal_new(store, &next, &error), 0);
	assert_null(log_journal_recover(next, 42));
	log_journal_settle(next);
	(void)log_journal_free(journal);
	(void)log_journal_free(next);
	(void)fd_store_free(store);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* ---- a log that is taken over ---- */

struct house {
	struct loop *loop;
	struct log_pump *pump;
	struct log_sink *sink;
	struct loop_timer timer;
	bool done;
	struct log_result result;
};

static void sink_done(void *userdata, const struct log_result *result)
{
	struct house *house = userdata;

	house->done = true;
	house->result = *result;
	loop_exit(house->loop, 0);
}

static void time_over(struct loop_timer *timer)
{
	struct house *house = container_of(timer, struct house, timer);

	loop_exit(house->loop, 1);
}

static void house_open(struct house *house, struct fd_store *store)
{
	struct error error = ERROR_INIT;

	*house = (struct house){.timer = LOOP_TIMER_NULL};
	assert_int_equal(loop_new(&house->loop), 0);
	assert_int_equal(log_pump_new(house->loop, IO_ENGINE_EPOLL, &house->pump, &error), 0);
	assert_int_equal(log_pump_persist(house->pump, store), 0);
}

static void house_run(struct house *house, uint64_t usec)
{
	(void)loop_timer_set(house->loop, &house->timer, now_usec() + usec, time_over);
	(void)loop_run(house->loop);
	loop_timer_cancel(&house->timer);
}

/* Memory of pumps that were "killed" stays reachable from here, so it is not reported as a leak. */
struct house dead_houses[10];

/*
 * The first pump is left as a killed process leaves it: nothing is finished, freed or
 * reported. The second one finds the store, the files and the kept state.
 */
static void test_pump_taken_over(void **state)
{
	struct fd_store *store = store_new();
	struct log_kept *kept = calloc(1, sizeof(*kept));
	struct error error = ERROR_INIT;
	size_t n_dead = 0;
	struct house first, second;
	int out[2], err[2], fds[4], log_fd = memfd_create("log", MFD_CLOEXEC);
	int index_fd = memfd_create("index", MFD_CLOEXEC);
	char text[64];
	size_t size = 0;
	struct stat st;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	house_open(&first, store);
	log_pump_settle(first.pump);
	assert_int_equal(log_pump_open(first.pump, dup(log_fd), dup(index_fd), dup(out[0]),
				       dup(err[0]), wall_usec(), sink_done, &first, &first.sink,
				       &error),
			 0);
	log_sink_persist(first.sink, 42, kept);
	for (int round = 0; round < 200; round++) {
		int length = snprintf(text, sizeof(text), "line %d\n", round);

		assert_int_equal(write(out[1], text, (size_t)length), length);
		size += (size_t)length;
		/* "kill" it in different states: epoll serves one operation a turn */
		house_run(&first, (uint64_t)(round % 7) * 10);
		if (round % 20 != 19)
			continue;
		house_open(&second, store);
		fds[0] = dup(log_fd);
		fds[1] = dup(index_fd);
		fds[2] = dup(out[0]);
		fds[3] = dup(err[0]);
		assert_int_equal(log_pump_adopt(second.pump, fds, NULL, wall_usec(), sink_done,
						&second, 42, kept, &second.sink, &error),
				 0);
		log_pump_settle(second.pump);
		/* the loop of the old pump is not run any more */
		dead_houses[n_dead++] = first;
		first = second;
		first.timer = LOOP_TIMER_NULL;
	}
	(void)close(out[1]);
	(void)close(err[1]);
	/* the sink of the last pump reports to the variable that it was made with */
	for (int i = 0; i < 100 && !second.done; i++)
		house_run(&first, 20000);
	assert_true(second.done);
	assert_int_equal(fstat(log_fd, &st), 0);
	assert_int_equal(st.st_size, size);
	for (size_t at = 0, round = 0; at < size; round++) {
		char line[64];
		int length = snprintf(text, sizeof(text), "line %zu\n", round);

		assert_int_equal(pread(log_fd, line, (size_t)length, (off_t)at), length);
		assert_memory_equal(line, text, (size_t)length);
		at += (size_t)length;
	}
	(void)log_pump_free(first.pump);
	(void)loop_free(first.loop);
	free(kept);
	(void)fd_store_free(store);
}

/* The service manager keeps the journal's memory: secrets must be wiped from it. */
static void test_pump_forgets_secrets(void **state)
{
	static const struct step_mask_value secret = {"abcdefgh", 8};
	struct fd_store *store = store_new();
	struct log_kept *kept = calloc(1, sizeof(*kept));
	struct error error = ERROR_INIT;
	struct mask *mask;
	struct house house;
	int out[2], err[2];
	struct stat st;
	void *memory;

	assert_non_null(kept);
	assert_int_equal(mask_new(&secret, 1, &mask, &error), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	house_open(&house, store);
	log_pump_settle(house.pump);
	assert_int_equal(log_pump_open(house.pump, memfd_create("log", MFD_CLOEXEC),
				       memfd_create("index", MFD_CLOEXEC), out[0], err[0],
				       wall_usec(), sink_done, &house, &house.sink, &error),
			 0);
	log_sink_persist(house.sink, 42, kept);
	log_sink_mask(house.sink, mask);
	assert_int_equal(fstat(fd_store_get(store, "rb.journal.1"), &st), 0);
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
		      fd_store_get(store, "rb.journal.1"), 0);
	assert_true(memory != MAP_FAILED);
	assert_int_equal(write(out[1], "say abcdefgh twice: abcdefg", 27), 27);
	house_run(&house, 50000);
	assert_non_null(memmem(memory, (size_t)st.st_size, "abcdefg", 7));
	(void)close(out[1]);
	(void)close(err[1]);
	house_run(&house, 10000000);
	assert_true(house.done);
	assert_null(memmem(memory, (size_t)st.st_size, "abcdefg", 7));
	(void)munmap(memory, (size_t)st.st_size);
	(void)log_pump_free(house.pump);
	(void)loop_free(house.loop);
	(void)mask_unref(mask);
	(void)fd_store_free(store);
	free(kept);
}

/* Killed within log_buffer_persist(): only the slot has the mask's state after the queued chunk. */
static void test_pump_knows_what_is_held(void **state)
{
	static const struct step_mask_value secret = {"abcdefgh", 8};
	struct mask_stream held = {.n_held = 2, .held = "ab"};
	struct fd_store *store = store_new();
	struct log_kept *kept = calloc(1, sizeof(*kept));
	struct error error = ERROR_INIT;
	struct log_journal *journal;
	struct log_slot *slot;
	struct mask *mask;
	struct house house;
	int out[2], err[2], log_fd = memfd_create("log", MFD_CLOEXEC);
	char text[16] = "";

	assert_non_null(kept);
	assert_int_equal(mask_new(&secret, 1, &mask, &error), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	assert_int_equal(log_journal_new(store, &journal, &error), 0);
	log_journal_settle(journal);
	slot = log_journal_take(journal);
	assert_non_null(slot);
	log_slot_begin(slot, 42, 1);
	memcpy(slot->data, "xyz", 3);
	log_slot_queue(slot, 5, wall_usec(), 0, 3, &held);

	house_open(&house, store);
	assert_int_equal(log_pump_adopt(house.pump,
					(int[]){dup(log_fd), memfd_create("index", MFD_CLOEXEC),
						out[0], err[0]},
					mask, wall_usec(), sink_done, &house, 42, kept, &house.sink,
					&error),
			 0);
	log_pump_settle(house.pump);
	/* the state is noted in .kept again, so the next successor does not need the slot */
	assert_int_equal(kept->masks[0][0].sequence + kept->masks[0][1].sequence, 5);
	(void)close(out[1]);
	(void)close(err[1]);
	house_run(&house, 10000000);
	assert_true(house.done);
	assert_int_equal(pread(log_fd, text, sizeof(text), 0), 5);
	assert_string_equal(text, "xyzab");
	(void)log_pump_free(house.pump);
	(void)loop_free(house.loop);
	(void)log_journal_free(journal);
	(void)mask_unref(mask);
	(void)fd_store_free(store);
	(void)close(log_fd);
	free(kept);
}

/* Each form of an address that Listen= accepts is found again by the next runbookd. */
static void test_listening_sockets(void **state)
{
	static const char *const addresses[] = {"127.0.0.1:8471", "[::]:8471", "8472", "0"};
	struct listener_set saved = {.n_items = 0}, loaded = {.n_items = 0};
	struct listener_set of_the_api = {.n_items = 0};
	struct fd_store *store = store_new();

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct listener *item = &saved.items[saved.n_items++];

		(void)snprintf(item->text, sizeof(item->text), "%s", addresses[i]);
		item->fd = memfd_create("socket", MFD_CLOEXEC);
	}
	listen_persist_save(store, LISTEN_PERSIST_WEBHOOK, &saved);
	listen_persist_load(store, LISTEN_PERSIST_WEBHOOK, &loaded);
	listen_persist_load(store, LISTEN_PERSIST_API, &of_the_api);
	assert_int_equal(of_the_api.n_items, 0);
	assert_int_equal(loaded.n_items, ARRAY_SIZE(addresses));
	for (size_t i = 0; i < loaded.n_items; i++)
		assert_string_equal(loaded.items[i].text, addresses[i]);
	listener_set_close(&loaded);
	/* one that the configuration does not have any more does not stay bound */
	(void)close(saved.items[2].fd);
	saved.items[2] = saved.items[--saved.n_items];
	listen_persist_save(store, LISTEN_PERSIST_WEBHOOK, &saved);
	loaded.n_items = 0;
	listen_persist_load(store, LISTEN_PERSIST_WEBHOOK, &loaded);
	assert_int_equal(loaded.n_items, ARRAY_SIZE(addresses) - 1);
	for (size_t i = 0; i < loaded.n_items; i++)
		assert_string_not_equal(loaded.items[i].text, "8472");
	listener_set_close(&loaded);
	listener_set_close(&saved);
	(void)fd_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listening_sockets),
		cmocka_unit_test(test_fd_bundle),
		cmocka_unit_test(test_fd_bundle_of_something_else),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_store_inherits),
		cmocka_unit_test(test_ledger_orders),
		cmocka_unit_test(test_ledger_inherited),
		cmocka_unit_test(test_ledger_forgets_secrets),
		cmocka_unit_test(test_ledger_is_small),
		cmocka_unit_test(test_host_of_before),
		cmocka_unit_test(test_journal_without_its_manager),
		cmocka_unit_test(test_journal_slot_without_its_pipe),
		cmocka_unit_test(test_pump_taken_over),
		cmocka_unit_test(test_pump_knows_what_is_held),
		cmocka_unit_test(test_pump_forgets_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
