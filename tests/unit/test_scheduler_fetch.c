/* SPDX-License-Identifier: Apache-2.0 */
/* Retries of a failed fetch: their times, over restarts, and with other runs. */
#include "tests/unit/scheduler_pushes.h"

#include "common/messages/channels.h"
#include "scheduler/model/scheduler.h"

#include <poll.h>
#include <sqlite3.h>

#define AWAY "cannot fetch it: connection refused"
#define LONG_SEC 3600

static struct world *patient_new(uint64_t seconds)
{
	struct world *world = world_new();

	world->fetch_retry_sec = seconds;
	world_start(world);
	return world;
}

static uint64_t pushed(struct world *world, const char *delivery, const char *commit)
{
	return push(world, &(struct pushed){.delivery = delivery, .after = commit});
}

static void fail_once(struct world *world, const char *commit, enum fetch_outcome outcome,
		      const char *error)
{
	fetched_failed(world, fetch_expect(world, commit), outcome, error);
	settle(world);
}

static void run_reason(struct world *world, uint64_t run, const char *state, const char *text)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));

	if (strcmp(member(json, "state"), state) != 0 || !strstr(member(json, "reason"), text))
		fail_msg("run %llu: %s: %s", (unsigned long long)run, member(json, "state"),
			 member(json, "reason"));
	json_decref(json);
}

/* The retries of a pending run as machines read them. */
static void retry_expect(struct world *world, uint64_t run, const char *what, uint64_t tries)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
	json_t *retry = json_object_get(json, "fetch_retry");

	assert_string_equal(member(json, "state"), "pending");
	assert_string_equal(member(retry, "what"), what);
	assert_int_equal(number(retry, "tries"), tries);
	assert_true(number(retry, "since_usec") > 0);
	json_decref(json);
}

static void test_away_for_a_while(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	uint64_t run = pushed(world, "d1", COMMIT_A);
	struct order order;
	json_t *json, *retry, *fetching;

	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	retry_expect(world, run, "unreachable", 1);
	run_reason(world, run, "pending", "cannot be fetched yet");
	run_reason(world, run, "pending", AWAY);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	retry = json_object_get(json, "fetch_retry");
	assert_true(number(retry, "next_usec") > 0);
	assert_true(number(retry, "until_usec") > number(retry, "since_usec"));
	assert_string_equal(member(retry, "error"), AWAY);
	json_decref(json);
	json = ask(world, ASK(.verb = API_QUEUE));
	fetching = json_object_get(json, "fetching");
	assert_int_equal(json_array_size(fetching), 1);
	assert_int_equal(number(json, "fetching_total"), 1);
	assert_int_equal(number(json_array_get(fetching, 0), "run"), run);
	assert_string_equal(member(json_array_get(fetching, 0), "wait"), "fetch-retry");
	json_decref(json);
	/* the second try, and the third */
	fail_once(world, COMMIT_A, FETCH_NO_SUCH_COMMIT, "not there");
	retry_expect(world, run, "no-such-commit", 2);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_true(json_is_null(json_object_get(json, "fetch_retry")));
	json_decref(json);
	world_stop(world);
	world_free(world);
}

/* The reason at the end has the number of tries; a retry by hand begins anew. */
static void test_gives_up(void **state)
{
	struct world *world = patient_new(1);
	uint64_t run = pushed(world, "d1", COMMIT_A);
	json_t *json = NULL;
	struct order order;
	uint64_t serial;

	for (;;) {
		fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
		json = ask(world, ASK(.verb = API_RUN, .run = run));
		if (strcmp(member(json, "state"), "errored") == 0)
			break;
		json_decref(json);
	}
	assert_non_null(strstr(member(json, "reason"), AWAY " (tried "));
	assert_non_null(strstr(member(json, "reason"), "runbookctl retry 1"));
	assert_true(json_is_null(json_object_get(json, "fetch_retry")));
	json_decref(json);
	json = ask(world, ASK(.verb = API_RUN_RETRY, .run = run));
	assert_int_equal(number(json, "run"), 2);
	json_decref(json);
	serial = fetch_expect(world, COMMIT_A);
	fetched_send(world, serial, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	world_stop(world);
	world_free(world);
}

/* A kill of the scheduler or the fetcher neither ends the retries nor begins them anew. */
static void test_over_restarts(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	uint64_t run = pushed(world, "d1", COMMIT_A), since;
	struct order order;
	json_t *json;

	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	since = (uint64_t)number(json_object_get(json, "fetch_retry"), "since_usec");
	json_decref(json);
	world_kill(world);
	world_start(world);
	retry_expect(world, run, "unreachable", 1);
	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	retry_expect(world, run, "unreachable", 2);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_int_equal(number(json_object_get(json, "fetch_retry"), "since_usec"), since);
	json_decref(json);
	/* killed during a try */
	(void)fetch_expect(world, COMMIT_A);
	world_kill(world);
	world_start(world);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	world_stop(world);
	world_free(world);
}

/* The time goes on while the scheduler does not run. */
static void test_over_after_a_restart(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	uint64_t run = pushed(world, "d1", COMMIT_A);
	sqlite3 *database;

	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	world_kill(world);
	assert_int_equal(sqlite3_open(world->store, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database,
				      "UPDATE fetch_waits SET first_usec=first_usec-3601000000,"
				      " since_usec=since_usec-3601000000",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	(void)sqlite3_close(database);
	world_start(world);
	/* one more try, because there was none for so long */
	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	run_reason(world, run, "errored", "tried 2 times in 1h");
	world_stop(world);
	world_free(world);
}

/* Nothing is fetched. The tree of a lost reply is removed all the same. */
static void fetch_quiet(struct world *world)
{
	struct pollfd poll_fd = {.fd = world->fetcher, .events = POLLIN};

	while (poll(&poll_fd, 1, 100) > 0)
		(void)message_free(fixture_receive(world->fetcher, MESSAGE_TREE_REMOVE));
}

static void test_cancelled(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	uint64_t run = pushed(world, "d1", COMMIT_A);

	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	run_reason(world, run, "cancelled", "cancelled");
	/* no request comes any more, before or after a restart; longer than until the second try */
	(void)usleep(1500000);
	assert_true(fixture_quiet(world->fetcher));
	world_kill(world);
	world_start(world);
	run_reason(world, run, "cancelled", "cancelled");
	fetch_quiet(world);
	world_stop(world);
	world_free(world);
}

static void tree_remove_expect(struct world *world, const char *tree)
{
	struct message *message = fixture_receive(world->fetcher, MESSAGE_TREE_REMOVE);
	struct message_tree_remove asked;

	assert_int_equal(MESSAGE_GET(message, tree_remove, &asked), 0);
	assert_string_equal(asked.project, "a");
	assert_string_equal(asked.tree, tree);
	assert_string_equal(asked.view, "");
	assert_int_equal(message_transmit(world->fetcher, MESSAGE_NEW(tree_removed, message->serial,
								      .freed = 4096)),
			 0);
	(void)message_free(message);
	settle(world);
}

/* The run of a tree ends before the reply, or the reply is lost. */
static void test_tree_of_an_ended_run(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	uint64_t run = pushed(world, "d1", COMMIT_A);
	uint64_t serial = fetch_expect(world, COMMIT_A);
	struct order order;

	/* not while the run waits for it */
	json_decref(ask(world, ASK(.verb = API_GC)));
	assert_true(fixture_quiet(world->fetcher));
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	fetched_send(world, serial, COMMIT_A, STEPS, NULL);
	settle(world);
	json_decref(ask(world, ASK(.verb = API_GC)));
	tree_remove_expect(world, COMMIT_A);
	json_decref(ask(world, ASK(.verb = API_GC)));
	assert_true(fixture_quiet(world->fetcher));

	run = pushed(world, "d2", COMMIT_B);
	(void)fetch_expect(world, COMMIT_B);
	world_kill(world);
	world_start(world);
	(void)fetch_expect(world, COMMIT_B);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	world_kill(world);
	world_start(world);
	json_decref(ask(world, ASK(.verb = API_GC)));
	tree_remove_expect(world, COMMIT_B);

	/* the tree of a run that goes on is used, and stays */
	(void)pushed(world, "d3", COMMIT_C);
	arrive(world, COMMIT_C, STEPS, NULL);
	order_expect(world, &order);
	json_decref(ask(world, ASK(.verb = API_GC)));
	assert_true(fixture_quiet(world->fetcher));
	world_stop(world);
	world_free(world);
}

/* Failures that do not pass end the run, and so do those that a person can correct. */
static void test_what_is_final(void **state)
{
	static const struct {
		enum fetch_outcome outcome;
		bool manual, again;
	} cases[] = {
		{FETCH_REFUSED, false, false},	     {FETCH_DENIED, false, true},
		{FETCH_NO_SUCH_COMMIT, false, true}, {FETCH_NO_SPACE, false, true},
		{FETCH_UNREACHABLE, true, true},     {FETCH_NO_SPACE, true, true},
		{FETCH_NO_SUCH_COMMIT, true, false}, {FETCH_DENIED, true, false},
		{FETCH_REFUSED, true, false},
	};
	struct world *world = patient_new(LONG_SEC);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char commit[41], delivery[16];
		uint64_t run = i + 1;

		(void)snprintf(commit, sizeof(commit), "%040zx", i + 1);
		(void)snprintf(delivery, sizeof(delivery), "d%zu", i);
		if (cases[i].manual)
			json_decref(ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a",
						   .commit = commit)));
		else
			(void)pushed(world, delivery, commit);
		fail_once(world, commit, cases[i].outcome, "why");
		run_reason(world, run, cases[i].again ? "pending" : "errored", "why");
		if (cases[i].again)
			json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	}
	world_stop(world);
	world_free(world);
}

/* Delayed runs do not hold up others: SOURCES_ASKED_MAX of them would fill the list. */
static void test_others_go_on(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	struct order order;
	char delivery[16];

	for (unsigned i = 0; i < 2 * SOURCES_ASKED_MAX; i++) {
		char commit[41];

		(void)snprintf(delivery, sizeof(delivery), "d%u", i);
		(void)snprintf(commit, sizeof(commit), "%040x", i + 1);
		(void)push(world, &(struct pushed){.delivery = delivery,
						   .ref = "refs/pull/3/head",
						   .after = commit,
						   .base = "refs/heads/main",
						   .event = "pull_request",
						   .pull_request = i + 1});
		fail_once(world, commit, FETCH_NO_SUCH_COMMIT, "not there");
	}
	(void)pushed(world, "good", COMMIT_A);
	for (;;) {
		/* second tries of the others may come first */
		struct message *message = fixture_receive(world->fetcher, MESSAGE_FETCH);
		uint64_t serial = message->serial;
		struct message_fetch fetch;
		bool found;

		assert_int_equal(MESSAGE_GET(message, fetch, &fetch), 0);
		found = strcmp(fetch.commit, COMMIT_A) == 0;
		(void)message_free(message);
		if (found) {
			fetched_send(world, serial, COMMIT_A, STEPS, NULL);
			break;
		}
		fetched_failed(world, serial, FETCH_NO_SUCH_COMMIT, "not there");
	}
	order_expect(world, &order);
	assert_string_equal(order.commit, COMMIT_A);
	world_stop(world);
	world_free(world);
}

#define DEPLOY "concurrency: {group: deploy}\n" STEPS
#define NEWEST "concurrency: {group: ci, cancel_superseded: true}\n" STEPS

/* An older commit that is fetched late goes before the newer one in their concurrency group. */
static void test_order_in_a_group(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	struct order order;

	(void)pushed(world, "d1", COMMIT_A);
	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	(void)pushed(world, "d2", COMMIT_B);
	arrive(world, COMMIT_B, DEPLOY, NULL);
	run_reason(world, 2, "pending", "run 1 of this branch, which is not fetched yet");
	/* one fetch has succeeded, so the forge is back: the other run requests its tree at once */
	world_kill(world);
	world_start(world);
	arrive(world, COMMIT_A, DEPLOY, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 1);
	run_reason(world, 2, "pending", "run 1 is before it");
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	world_stop(world);
	world_free(world);
}

static void test_overtaken(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	struct order order;

	(void)pushed(world, "d1", COMMIT_A);
	fail_once(world, COMMIT_A, FETCH_NO_SUCH_COMMIT, "not there");
	(void)pushed(world, "d2", COMMIT_B);
	arrive(world, COMMIT_B, DEPLOY, NULL);
	/* the branch went on without it: a forced push */
	fail_once(world, COMMIT_A, FETCH_NO_SUCH_COMMIT, "not there");
	run_reason(world, 1, "errored", "not there");
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	world_stop(world);
	world_free(world);
}

static void test_superseded(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	struct order order;

	(void)pushed(world, "d1", COMMIT_A);
	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	/* of another branch, and of a fork: not in its group */
	(void)push(world, &(struct pushed){
				  .delivery = "d2", .ref = "refs/heads/other", .after = COMMIT_C});
	fail_once(world, COMMIT_C, FETCH_UNREACHABLE, AWAY);
	(void)pushed(world, "d3", COMMIT_B);
	arrive(world, COMMIT_B, NEWEST, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 3);
	run_reason(world, 1, "cancelled", "superseded by run 3");
	run_reason(world, 2, "pending", "cannot be fetched yet");
	world_stop(world);
	world_free(world);
}

/* "retry --failed" of a run that never had steps fetches it again. */
static void test_retry_failed(void **state)
{
	struct ask retry = {.verb = API_RUN_RETRY, .run = 1, .failed = true};
	struct world *world = patient_new(0);
	struct order order;
	json_t *json;

	(void)pushed(world, "d1", COMMIT_A);
	fail_once(world, COMMIT_A, FETCH_UNREACHABLE, AWAY);
	run_reason(world, 1, "errored", AWAY);
	json = ask(world, &retry);
	assert_int_equal(number(json, "run"), 1);
	json_decref(json);
	run_reason(world, 1, "pending", "");
	assert_int_equal(ask_refused(world, &retry), 409);
	/* without a runbook */
	arrive(world, COMMIT_A, NULL, NULL);
	run_reason(world, 1, "failed", "no runbook.yml");
	json_decref(ask(world, &retry));
	/* over a restart */
	world_kill(world);
	world_start(world);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 1);
	/* an invalid runbook stays invalid */
	retry.run = 2;
	(void)pushed(world, "d2", COMMIT_B);
	arrive(world, COMMIT_B, "steps: {}\n", NULL);
	run_reason(world, 2, "failed", "runbook.yml");
	assert_int_equal(ask_refused(world, &retry), 409);
	/* the retry of an unwanted run is a new run, which is wanted */
	retry.run = 3;
	(void)pushed(world, "d3", COMMIT_C);
	arrive(world, COMMIT_C, "on: {tag: {}}\n" STEPS, NULL);
	unwanted_expect(world, 3, true);
	json = ask(world, &retry);
	assert_int_equal(number(json, "run"), 4);
	json_decref(json);
	arrive(world, COMMIT_C, "on: {tag: {}}\n" STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 4);
	world_stop(world);
	world_free(world);
}

static void space_send(struct world *world, const char *text)
{
	assert_int_equal(
		message_transmit(world->daemon, MESSAGE_NEW(host_space, 0, .reason = text)), 0);
	settle(world);
}

/* While the host reports a full disk, a fetch that needs space waits as long as steps do. */
static void test_full_disk(void **state)
{
	struct world *world = patient_new(1);
	struct order order;

	space_send(world, "less than 128M is free");
	(void)pushed(world, "d1", COMMIT_A);
	fail_once(world, COMMIT_A, FETCH_NO_SPACE, "cannot write: No space left on device");
	retry_expect(world, 1, "disk-full", 1);
	run_reason(world, 1, "pending", "until there is room");
	fail_once(world, COMMIT_A, FETCH_NO_SPACE, "cannot write: No space left on device");
	fail_once(world, COMMIT_A, FETCH_NO_SPACE, "cannot write: No space left on device");
	/* the configured time has passed twice by now */
	retry_expect(world, 1, "disk-full", 3);
	space_send(world, "");
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	world_stop(world);
	world_free(world);
}

static void test_workspace(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	cleanup_message struct message *request = NULL;
	struct message *answer;

	push_send(world, &(struct pushed){.delivery = "d1", .after = COMMIT_A, .project = "w"});
	(void)trigger_accepted(world, 0);
	request = fixture_receive(world->daemon, MESSAGE_WORKSPACE_OPEN);
	answer = MESSAGE_NEW(workspace_opened, request->serial, .error = "it is not mounted");
	assert_int_equal(message_transmit(world->daemon, answer), 0);
	settle(world);
	retry_expect(world, 1, "denied", 1);
	(void)message_free(fixture_receive(world->daemon, MESSAGE_WORKSPACE_OPEN));
	world_stop(world);
	world_free(world);
}

/* An upload is kept for the next try; after a restart it is gone, which is reported. */
static void test_upload(void **state)
{
	struct world *world = patient_new(LONG_SEC);
	struct order order;
	json_t *json;

	for (unsigned i = 1; i <= 2; i++) {
		int fd = text_fd("a tar"); /* duplicates of one would share the read position */

		json_decref(ask(world, ASK(.verb = API_RUN_UPLOAD, .project = "copy", .fd = fd)));
		close(fd);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct message *message = fixture_receive(world->fetcher, MESSAGE_UNPACK);

		fetched_failed(world, message->serial, FETCH_NO_SPACE, "No space left on device");
		(void)message_free(message);
	}
	settle(world);
	retry_expect(world, 1, "disk-full", 1);
	for (unsigned i = 0; i < 2; i++) {
		struct message *message = fixture_receive(world->fetcher, MESSAGE_UNPACK);
		uint64_t serial = message->serial;
		struct message_unpack unpack;
		char tree[64], text[16];

		assert_int_equal(MESSAGE_GET(message, unpack, &unpack), 0);
		(void)snprintf(tree, sizeof(tree), "%s", unpack.id);
		assert_int_equal(read(unpack.tar, text, sizeof(text)), 5);
		assert_memory_equal(text, "a tar", 5);
		(void)message_free(message);
		if (i == 0)
			fetched_send(world, serial, tree, STEPS, NULL);
		else
			fetched_failed(world, serial, FETCH_NO_SPACE, "No space left on device");
	}
	order_expect(world, &order);
	settle(world);
	world_kill(world);
	world_start(world);
	json = ask(world, ASK(.verb = API_RUN, .run = order.run == 1 ? 2 : 1));
	assert_string_equal(member(json, "state"), "errored");
	assert_non_null(strstr(member(json, "reason"), "send it again"));
	assert_true(json_is_null(json_object_get(json, "fetch_retry")));
	json_decref(json);
	world_stop(world);
	world_free(world);
}

/* A fetcher that breaks the rules loses its channel; the scheduler requests another one, twice. */
static void test_a_channel_is_lost(void **state)
{
	struct world *world = world_new();
	uint64_t serial;

	world_start(world);
	(void)trigger(world, "a", "d1", COMMIT_A);
	(void)fetch_expect(world, COMMIT_A);
	for (int i = 0; i < 2; i++) {
		struct message *message = MESSAGE_NEW(step_ack, 0, .order = 1);
		struct message_channel_lost lost;

		assert_int_equal(message_transmit(world->fetcher, message), 0);
		message = fixture_receive(world->daemon, MESSAGE_CHANNEL_LOST);
		assert_int_equal(MESSAGE_GET(message, channel_lost, &lost), 0);
		assert_int_equal(lost.role, ROLE_FETCHER);
		(void)message_free(message);
		assert_null(fixture_receive_any(world->fetcher, false));
		close(world->fetcher);
		world->fetcher = fixture_channel(world, ROLE_FETCHER);
		serial = fetch_expect(world, COMMIT_A);
	}
	fetched_failed(world, serial, FETCH_REFUSED, "no");
	assert_true(fixture_quiet(world->daemon));
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_away_for_a_while),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_over_restarts),
		cmocka_unit_test(test_over_after_a_restart),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_tree_of_an_ended_run),
		cmocka_unit_test(test_what_is_final),
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_order_in_a_group),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_superseded),
		cmocka_unit_test(test_retry_failed),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_workspace),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_a_channel_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
