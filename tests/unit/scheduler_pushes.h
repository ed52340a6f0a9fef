/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes of "a" and what they lead to, for tests of what starts runs and what ends them. */
#ifndef TESTS_UNIT_SCHEDULER_PUSHES_H
#define TESTS_UNIT_SCHEDULER_PUSHES_H

#include "tests/unit/scheduler_world.h"

#define COMMIT_C "cccccccccccccccccccccccccccccccccccccccc"
#define COMMIT_D "dddddddddddddddddddddddddddddddddddddddd"
#define STEPS "steps:\n  - {name: one, command: 'true'}\n"
#define TWO                                                                                        \
	"steps:\n  - {name: one, command: 'true'}\n"                                               \
	"  - {name: two, command: 'true', depends_on: [one]}\n"

/* ---- what comes in ---- */

struct pushed {
	const char *delivery, *event, *ref, *before, *after, *base;
	uint64_t pull_request, fork;
	const char *action, *body; /* of 32 bytes, NULL: none */
	const char *project;	   /* NULL: "a" */
};

static inline void push_send(struct world *world, const struct pushed *pushed)
{
	struct message *message = message_new(MESSAGE_TRIGGER, ++world->serial);

	message_put_string(message, pushed->project ? pushed->project : "a");
	message_put_string(message, "github");
	message_put_string(message, pushed->delivery);
	message_put_string(message, pushed->event ? pushed->event : "push");
	message_put_string(message, pushed->ref ? pushed->ref : "refs/heads/main");
	message_put_string(message, pushed->before);
	message_put_string(message, pushed->after);
	message_put_string(message, "somebody");
	message_put_string(message, "a title");
	message_put_u64(message, pushed->pull_request);
	message_put_string(message, pushed->base);
	message_put_u64(message, pushed->fork);
	message_put_string(message, pushed->action);
	message_put_bytes(message, pushed->body ? pushed->body : "", pushed->body ? 32 : 0);
	assert_int_equal(message_transmit(world->webhook, message), 0);
}

static inline uint64_t push(struct world *world, const struct pushed *pushed)
{
	push_send(world, pushed);
	return trigger_accepted(world, 0);
}

/* It made no run: another one stands for it. */
static inline uint64_t push_again(struct world *world, const struct pushed *pushed)
{
	push_send(world, pushed);
	return trigger_accepted(world, 1);
}

/* What was sent to it on any channel before is done when it answers. */
static inline void settle(struct world *world)
{
	json_decref(ask(world, ASK(.verb = API_STATUS)));
}

/* The tree of @commit is there, with the changed paths (NULL: not known; lines). */
static inline void arrive(struct world *world, const char *commit, const char *runbook,
			  const char *paths)
{
	uint64_t serial = fetch_expect(world, commit);

	fetched_send_changed(world, serial, commit[0] ? commit : COMMIT_A, runbook, NULL, paths);
	settle(world);
}

/* Run and step, from the push to the order. */
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

/* The order that STEP_CANCEL names; acknowledgements are skipped. */
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
