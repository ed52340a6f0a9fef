/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes to project "a" and what follows from them, for tests of what starts and what ends runs. */
#ifndef TESTS_UNIT_SCHEDULER_PUSHES_H
#define TESTS_UNIT_SCHEDULER_PUSHES_H

#include "tests/unit/scheduler_world.h"

#define COMMIT_C "cccccccccccccccccccccccccccccccccccccccc"
#define COMMIT_D "dddddddddddddddddddddddddddddddddddddddd"
#define STEPS "steps:\n  - {name: one, command: 'true'}\n"
#define TWO                                                                                        \
	"steps:\n  - {name: one, command: 'true'}\n"                                               \
	"  - {name: two, command: 'true', depends_on: [one]}\n"

/* ---- pushes ---- */

struct pushed {
	const char *delivery, *event, *ref, *before, *after, *base;
	uint64_t pull_request, fork;
	const char *action, *body; /* of 32 bytes, NULL: none */
	const char *project;	   /* NULL: "a" */
};

static inline void push_send(struct world *world, const struct pushed *pushed)
{
	struct message *message = MESSAGE_NEW(
		trigger, ++world->serial, .project = pushed->project ? pushed->project : "a",
		.provider = "github", .delivery = pushed->delivery,
		.event = pushed->event ? pushed->event : "push",
		.ref = pushed->ref ? pushed->ref : "refs/heads/main", .before = pushed->before,
		.after = pushed->after, .actor = "somebody", .title = "a title",
		.pull_request = pushed->pull_request, .base_ref = pushed->base,
		.from_fork = pushed->fork != 0, .action = pushed->action,
		.digest = {pushed->body, pushed->body ? BODY_DIGEST_SIZE : 0});

	assert_int_equal(message_transmit(world->webhook, message), 0);
}

static inline uint64_t push(struct world *world, const struct pushed *pushed)
{
	push_send(world, pushed);
	return trigger_accepted(world, 0);
}

/* The push made no run: it is a duplicate of one with a run. */
static inline uint64_t push_again(struct world *world, const struct pushed *pushed)
{
	push_send(world, pushed);
	return trigger_accepted(world, 1);
}

/* When the api gets its reply, everything sent on any channel before has been handled. */
static inline void settle(struct world *world)
{
	json_decref(ask(world, ASK(.verb = API_STATUS)));
}

/* The tree of @commit arrives, with the changed paths as lines (NULL: not known). */
static inline void arrive(struct world *world, const char *commit, const char *runbook,
			  const char *paths)
{
	uint64_t serial = fetch_expect(world, commit);

	fetched_send_changed(world, serial, commit[0] ? commit : COMMIT_A, runbook, NULL, paths);
	settle(world);
}

/* A run with its step, from the push to the order. */
static inline uint64_t started(struct world *world, const char *delivery, const char *commit,
			       const char *runbook, struct order *order)
{
	uint64_t run = push(world, &(struct pushed){.delivery = delivery, .after = commit});

	arrive(world, commit, runbook, NULL);
	order_expect(world, order);
	assert_int_equal(order->run, run);
	return run;
}

static inline void unwanted_expect(struct world *world, uint64_t run, bool unwanted)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
	bool is = json_is_true(json_object_get(json, "unwanted"));

	if (is != unwanted ||
	    strcmp(member(json, "state"), unwanted ? "cancelled" : "running") != 0)
		fail_msg("run %llu: %s: %s", (unsigned long long)run, member(json, "state"),
			 member(json, "reason"));
	if (unwanted)
		assert_non_null(strstr(member(json, "reason"), "not wanted: "));
	json_decref(json);
}

/* The order in STEP_CANCEL; acknowledgements are skipped. */
static inline uint64_t cancel_expect(struct world *world)
{
	for (;;) {
		cleanup_message struct message *message = fixture_receive_any(world->daemon, false);

		assert_non_null(message);
		if (message->type == MESSAGE_STEP_ACK)
			continue;
		assert_int_equal(message->type, MESSAGE_STEP_CANCEL);
		return cancelled_order(message);
	}
}

#endif
