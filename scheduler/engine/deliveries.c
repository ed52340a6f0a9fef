/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/deliveries.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/run_row.h"

#include <inttypes.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- duplicates ---- */

/* The subject of a delivery: a push and a pull request of one branch are different subjects. */
static void place_format(char *out, size_t size, const struct store_run *row)
{
	(void)snprintf(out, size, "%s %" PRIu64 " %s", row->event, row->pull_request, row->ref);
}

/*
 * A digest of all that must be equal in two deliveries for the same; "before" of a pull request is
 * its base's commit.
 */
static void asked_digest(const struct trigger *trigger, unsigned char out[STORE_DIGEST_SIZE])
{
	const char *const texts[] = {trigger->event,  trigger->action, trigger->ref,
				     trigger->before, trigger->after,  trigger->base_ref};
	uint64_t numbers[] = {trigger->pull_request, trigger->from_fork};
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)crypto_generichash_update(&state, (const unsigned char *)texts[i],
						strlen(texts[i]) + 1);
	(void)crypto_generichash_update(&state, (const unsigned char *)numbers, sizeof(numbers));
	(void)crypto_generichash_final(&state, out, STORE_DIGEST_SIZE);
}

void delivery_init(struct delivery *delivery, const struct trigger *trigger,
		   const struct store_run *run)
{
	*delivery = (struct delivery){
		.row =
			{
				.project = trigger->project,
				.id = trigger->delivery,
				.received_usec = wall_usec(),
				.body = trigger->body,
				.place = delivery->place,
				.after = trigger->after,
				.asked = delivery->asked,
			},
		/* only for these can the fetcher find out which commit they are at */
		.may_come_back = run->source == RUN_SOURCE_FETCH && !trigger->pull_request,
	};
	place_format(delivery->place, sizeof(delivery->place), run);
	asked_digest(trigger, delivery->asked);
}

/** struct last_delivery - the newest delivery for the same subject */
struct last_delivery {
	uint64_t run, received_usec;
	char after[COMMIT_HEX_MAX + 1];
	unsigned char asked[STORE_DIGEST_SIZE];
	bool has_asked;
	bool settles; /* its run tests, or has tested, what it was made for */
};

static void keep_last(const struct store_delivery *row, void *userdata)
{
	struct last_delivery *last = userdata;

	last->run = row->run;
	last->received_usec = row->received_usec;
	(void)snprintf(last->after, sizeof(last->after), "%s", row->after);
	last->has_asked = row->asked != NULL;
	if (row->asked)
		memcpy(last->asked, row->asked, STORE_DIGEST_SIZE);
}

/* A run that was cut short or errored has not tested its commit. */
static void keep_outcome(const struct store_run *row, void *userdata)
{
	bool cut_short = row->cancelling || row->stop == RUN_STOP_CANCELLED ||
			 row->stop == RUN_STOP_SUPERSEDED || row->state == RUN_STATE_CANCELLED ||
			 row->state == RUN_STATE_ERRORED;

	((struct last_delivery *)userdata)->settles = row->unwanted || !cut_short;
}

static int last_find(struct store *store, const struct store_delivery *row,
		     struct last_delivery *last)
{
	int r = store_delivery_last(store, row->project, row->place, true, keep_last, last);

	if (r > 0)
		r = store_run_get(store, last->run, keep_outcome, last);
	return r < 0 ? r : 0;
}

/* Whether the newest delivery just asked for the same: a second hook, or a redelivery by hand. */
static bool asks_again(const struct store_delivery *row, const struct last_delivery *last)
{
	return row->after[0] && last->has_asked && last->settles &&
	       memcmp(last->asked, row->asked, STORE_DIGEST_SIZE) == 0 &&
	       last->received_usec + TRIGGER_WINDOW_SEC * USEC_PER_SEC >= row->received_usec;
}

/*
 * The same signed bytes came before under another id: either a recorded delivery is sent again, or
 * the branch went from A to B and back to A at a forge whose pushes carry no time (GitLab,
 * Bitbucket Cloud). If the branch is known to be at another commit meanwhile, only the forge knows
 * which: a run is made, and delivery_confirm() decides when the branch was fetched.
 */
static bool may_have_come_back(const struct delivery *delivery, const struct last_delivery *last)
{
	return delivery->may_come_back && last->run && delivery->row.after[0] &&
	       strcmp(delivery->row.after, last->after) != 0;
}

int delivery_find(struct store *store, struct delivery *delivery, uint64_t *ret_run)
{
	struct store_delivery *row = &delivery->row;
	struct last_delivery last = {.run = 0};
	int r = store_delivery_find(store, row->project, row->id, ret_run);

	if (r == 0)
		r = last_find(store, row, &last);
	if (r == 0 && row->body) {
		r = store_delivery_find_body(store, row->project, row->body, ret_run);
		row->doubt = r > 0 && may_have_come_back(delivery, &last);
		if (r > 0)
			/* a duplicate is not stored: one body could be sent without end */
			return !row->doubt;
	}
	if (r != 0 || !asks_again(row, &last))
		return r;
	row->place = row->after = "";
	row->asked = NULL;
	delivery_add(store, delivery, last.run);
	*ret_run = last.run;
	return 1;
}

void delivery_add(struct store *store, struct delivery *delivery, uint64_t run)
{
	delivery->row.run = run;
	store_delivery_add(store, &delivery->row);
}

/* ---- confirmation of a repeated delivery ---- */

bool delivery_doubted(const struct run *run)
{
	return run->row.again_of && !run->row.tree[0];
}

bool delivery_confirm(struct run *run, const char *commit)
{
	struct store *store = run->scheduler->store;
	struct last_delivery last = {.run = 0};
	char place[DELIVERY_PLACE_MAX], where[COMMIT_HEX_MAX + 32];

	place_format(place, sizeof(place), &run->row);
	if (store_delivery_last(store, run->row.project, place, false, keep_last, &last) < 0)
		return false;
	if (strcmp(commit, run->row.asked) == 0 && strcmp(commit, last.after) != 0) {
		store_delivery_confirm(store, run->row.project, place, run->row.id);
		return true;
	}
	if (!commit[0])
		(void)snprintf(where, sizeof(where), "is not there");
	else if (strcmp(commit, run->row.asked) != 0)
		(void)snprintf(where, sizeof(where), "is at %.12s", commit);
	else
		(void)snprintf(where, sizeof(where), "did not move since run %" PRIu64, last.run);
	run_unwanted(run, "the same delivery made run %" PRIu64 " before, and %.200s %s",
		     run->row.again_of, ref_branch(run->row.ref), where);
	return false;
}

/* ---- forgetting old deliveries ---- */

/* in one commit; the rest goes with the next ones */
#define PRUNE_MAX 1000
#define PRUNE_AGAIN_USEC (100 * USEC_PER_SEC / 1000)
#define PRUNE_PAUSE_MIN_USEC (1 * USEC_PER_SEC)
#define PRUNE_PAUSE_MAX_USEC (3600 * USEC_PER_SEC)

static void prune(struct loop_timer *timer)
{
	struct scheduler *scheduler = container_of(timer, struct scheduler, deliveries_timer);
	uint64_t keep_usec = scheduler->config.deliveries_sec * USEC_PER_SEC;
	uint64_t wall = wall_usec(), n = 0, pause = keep_usec / 10;

	if (wall > keep_usec)
		n = store_deliveries_prune(scheduler->store, wall - keep_usec, PRUNE_MAX);
	if (n)
		log_info("%llu deliveries are forgotten: the time for which they are kept is over",
			 (unsigned long long)n);
	if (pause < PRUNE_PAUSE_MIN_USEC)
		pause = PRUNE_PAUSE_MIN_USEC;
	if (pause > PRUNE_PAUSE_MAX_USEC)
		pause = PRUNE_PAUSE_MAX_USEC;
	if (n == PRUNE_MAX)
		pause = PRUNE_AGAIN_USEC;
	(void)loop_timer_set(scheduler->loop, timer, now_usec() + pause, prune);
	turn_schedule(scheduler);
}

void deliveries_configure(struct scheduler *scheduler)
{
	if (scheduler->config.deliveries_sec)
		(void)loop_timer_set(scheduler->loop, &scheduler->deliveries_timer, now_usec(),
				     prune);
}
