/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory at any place: the scheduler may end, and the next one goes on from what was
 * committed. What was acknowledged stays, once, and nothing keeps the scheduler from starting.
 */
#include "tests/unit/scheduler_world.h"

#include "common/log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const char chain[] = "steps:\n  - {name: one, command: 'true'}\n"
			    "  - {name: two, command: 'true', depends_on: [one]}\n";

/* ---- an allocation that fails ---- */

/* The sanitizers have an allocator of their own, which cannot be replaced. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPLACED 0
#elif defined(__has_feature)
#define REPLACED (!__has_feature(address_sanitizer) && !__has_feature(memory_sanitizer))
#else
#define REPLACED 1
#endif

static unsigned *countdown; /* shared with the scheduler: allocations until one fails, 0: never */
static bool is_scheduler;

#if REPLACED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool fails(void)
{
	if (!is_scheduler || *countdown == 0 || --*countdown > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}
#endif

static void forked(void)
{
	is_scheduler = true;
	(void)signal(SIGSEGV,
		     SIG_DFL); /* the process shall die of it instead of failing as a test */
	(void)signal(SIGABRT, SIG_DFL);
}

static int setup(void **state)
{
	countdown = mmap(NULL, sizeof(*countdown), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(countdown != MAP_FAILED);
	return pthread_atfork(NULL, NULL, forked);
}

/* ---- peers that outlive the scheduler ---- */

static bool readable(int fd, int msec)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, msec) == 1;
}

/* Skip the HELLO of a new channel, so that a poll() waits for the message after it. */
static void hello_skip(int fd)
{
	struct message *hello = NULL;

	assert_int_equal(message_receive(fd, &hello), 1);
	(void)message_free(hello);
}

static void start(struct world *world)
{
	world_start(world);
	hello_skip(world->daemon);
	hello_skip(world->webhook);
	hello_skip(world->fetcher);
}

/*
 * The tree of a run that ended for lack of memory is removed as well: that request needs no reply
 * here.
 */
static void fetcher_answer(struct world *world)
{
	cleanup_message struct message *message = fixture_receive_any(world->fetcher, false);

	assert_non_null(message);
	if (message->type == MESSAGE_TREE_REMOVE)
		return;
	assert_int_equal(message->type, MESSAGE_FETCH);
	fetched_send(world, message->serial, COMMIT_A, chain, NULL);
}

/* Play the fetcher and the daemon until the only run is final. */
static void finish(struct world *world, const char *wanted, const char *also)
{
	for (int patience = 1000;; patience--) {
		json_t *json;
		char state[16];

		assert_true(patience > 0); /* fails when the run makes no progress */

		if (readable(world->fetcher, 5))
			fetcher_answer(world);
		while (readable(world->daemon, 5)) {
			cleanup_message struct message *message =
				fixture_receive_any(world->daemon, false);

			assert_non_null(message);
			if (message->type == MESSAGE_STEP_START)
				order_exited(world, started_order(message), 0);
		}
		json = ask(world, ASK(.verb = API_RUN, .run = 1));
		(void)snprintf(state, sizeof(state), "%s", member(json, "state"));
		json_decref(json);
		if (strcmp(state, wanted) == 0 || strcmp(state, also) == 0)
			break;
		if (strcmp(state, "pending") != 0 && strcmp(state, "running") != 0)
			fail_msg("the run is %s", state);
	}
}

static void runs_expect(struct world *world, json_int_t wanted)
{
	json_t *json = ask(world, ASK(.verb = API_STATUS)), *count;
	const char *key;
	json_int_t n = 0;

	json_object_foreach (json_object_get(json, "runs"), key, count)
		n += json_integer_value(count);
	assert_int_equal(n, wanted);
	json_decref(json);
}

/* ---- the moments at which memory runs out ---- */

enum moment { MOMENT_DELIVERY, MOMENT_TREE, MOMENT_RESULT };

#define MANY 1000000000U

/* Cause @moment and let allocation @n after it fail. Return: how many allocations there were. */
static unsigned happen(struct world *world, enum moment moment, unsigned n)
{
	struct order order;
	uint64_t serial;
	int fd = world->daemon;

	if (moment >= MOMENT_TREE)
		(void)trigger(world, "a", "1", COMMIT_A);
	if (moment == MOMENT_RESULT) {
		fetch_answer(world, COMMIT_A, chain);
		order_expect(world, &order);
	}
	serial = moment == MOMENT_TREE ? fetch_expect(world, COMMIT_A) : 0;
	/*
	 * the HELLO of every channel has been read: from here on only allocations of the moment
	 * count
	 */
	json_decref(ask(world, ASK(.verb = API_STATUS)));
	*countdown = n;
	if (moment == MOMENT_DELIVERY) {
		trigger_send(world, "a", "1", COMMIT_A);
		fd = world->webhook;
	} else if (moment == MOMENT_TREE) {
		fetched_send(world, serial, COMMIT_A, chain, NULL);
	} else {
		order_exited(world, order.id, 0);
	}
	while (*countdown && readable(fd, 500)) {
		cleanup_message struct message *message = fixture_receive_any(fd, false);

		if (!message)
			break;
	}
	return n - *countdown;
}

/* Some of the first, some of the last (claims and replies), and some between them. */
static unsigned next(unsigned n, unsigned last)
{
	unsigned step = last / 8 + 1;

	if (n < 4 || n + 6 >= last || getenv("RUNBOOK_TEST_LONG"))
		return n + 1;
	return n + step + 6 < last ? n + step : last - 6;
}

static void moment_try(enum moment moment, unsigned n)
{
	struct world *world = world_new();

	start(world);
	(void)happen(world, moment, n);
	*countdown = 0;
	world_kill(world); /* in case it has not ended */
	start(world);
	/* a sender without a reply sends its request again */
	trigger_send(world, "a", "1", COMMIT_A);
	(void)message_free(fixture_receive(world->webhook, MESSAGE_TRIGGER_ACCEPTED));
	/* a runbook that there is no memory for must not be read again and again */
	finish(world, "succeeded", moment == MOMENT_TREE ? "errored" : "");
	runs_expect(world, 1);
	world_stop(world);
	world_free(world);
}

static void moment_test(enum moment moment)
{
	struct world *world = world_new();
	unsigned last;

	start(world);
	last = happen(world, moment, MANY);
	*countdown = 0;
	world_stop(world);
	world_free(world);
	print_message("%u allocations\n", last);
	for (unsigned n = 1; n <= last; n = next(n, last))
		moment_try(moment, n);
}

static void test_delivery(void **state)
{
	moment_test(MOMENT_DELIVERY);
}

static void test_tree(void **state)
{
	moment_test(MOMENT_TREE);
}

static void test_result(void **state)
{
	moment_test(MOMENT_RESULT);
}

static int scalar(const char *path, const char *sql)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	int value;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	return value;
}

/* Running steps are not given up because there was no memory to load them. */
static void test_start(void **state)
{
	struct world *world = world_new();
	struct order order;
	unsigned last = 0;

	world_start(world);
	(void)trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, chain);
	order_expect(world, &order);
	world_kill(world);
	/* the first round counts the allocations */
	for (unsigned n = MANY; n == MANY || n <= last; n = n == MANY ? 1 : next(n, last)) {
		int theirs, ours = fixture_pair(&theirs), status;
		pid_t pid;

		close(ours); /* a daemon that hangs up at once */
		*countdown = 0;
		(void)fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct store *store = NULL;

			log_open("runbook-scheduler");
			if (store_open(world->store, &store, NULL) < 0)
				_exit(9);
			*countdown = n;
			_exit(scheduler_serve(theirs, store));
		}
		close(theirs);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
			fail_msg("allocation %u: status %#x", n, (unsigned)status);
		last = n == MANY ? MANY - *countdown : last;
		assert_int_equal(scalar(world->store, "select count(*) from steps join runs on"
						      " runs.id=run where runs.state='running' and"
						      " steps.state='running'"),
				 1);
	}
	*countdown = 0;
	start(world);
	finish(world, "succeeded", "");
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_result),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
