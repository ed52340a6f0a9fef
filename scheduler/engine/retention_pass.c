/* SPDX-License-Identifier: Apache-2.0 */
/* A pass: the visit of all runs in pieces, and the reasons to start one. */
#include "scheduler/engine/retention_pass.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_ids.h"
#include "common/messages/artifacts.h"
#include "common/number.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_USEC USEC_PER_MSEC	       /* pause between two turns, for other work */
#define INTERVAL_MIN_USEC USEC_PER_SEC	       /* for ages of seconds */
#define INTERVAL_ENDED_USEC (5 * USEC_PER_SEC) /* after a run ended */
#define INTERVAL_MAX_USEC (600 * USEC_PER_SEC)
#define RELOADED_USEC (60 * USEC_PER_SEC) /* delay after a reload */
#define INTERVAL_WORK 50		  /* a pass takes at most this part of the time */
#define SPACE_RUNS_MAX 256 /* in one pass for space: its effect is measured before more go */
#define MEASURES_MAX 256

/* ---- judging one run ---- */

/* A copy of a row, because a callback of the store must not write. */
struct candidate {
	struct store_kept row;
	char project[PROJECT_NAME_MAX + 1];
	char ref[REF_NAME_MAX + 1];
};

struct chunk {
	struct candidate rows[PASS_ROWS];
	size_t n;
};

static void chunk_add(const struct store_kept *row, void *userdata)
{
	struct chunk *chunk = userdata;
	struct candidate *candidate = &chunk->rows[chunk->n++];

	candidate->row = *row;
	(void)snprintf(candidate->project, sizeof(candidate->project), "%s", row->project);
	(void)snprintf(candidate->ref, sizeof(candidate->ref), "%s", row->ref);
	candidate->row.project = candidate->project;
	candidate->row.ref = candidate->ref;
}

/*
 * Whether a run is the last success of a branch, which stays, unless the remote did not have the
 * branch when the mirror was last examined. A failed read keeps the run.
 */
static bool last_success(struct scheduler *scheduler, const struct store_kept *row)
{
	if (row->state != RUN_STATE_SUCCEEDED || row->source != RUN_SOURCE_FETCH || row->unwanted ||
	    row->pull_request || strncmp(row->ref, "refs/heads/", 11) != 0)
		return false;
	return store_success_newer(scheduler->store, row->project, row->ref, row->id) <= 0 &&
	       store_branch_gone(scheduler->store, row->project, row->ref) <= 0;
}

static uint64_t artifact_bytes(const struct store_kept *row)
{
	return row->artifact_bytes == STORE_BYTES_UNKNOWN ? 0 : row->artifact_bytes;
}

static uint64_t bytes_of(const struct store_kept *row, enum retention_kind kind)
{
	switch (kind) {
	case RETENTION_LOGS:
		return row->log_bytes;
	case RETENTION_ARTIFACTS:
		return artifact_bytes(row);
	default:
		return row->log_bytes + artifact_bytes(row);
	}
}

static void note(struct retention_pass *pass, const struct store_kept *row,
		 enum retention_kind kind, enum retention_rule rule)
{
	struct pass_count *count = &pass->counts[kind][rule];
	struct pass_item *item;

	count->n++;
	count->bytes += bytes_of(row, kind);
	if (!pass->asked)
		return;
	if (!pass->items)
		pass->items = calloc(PASS_ITEMS_MAX, sizeof(*pass->items));
	if (!pass->items || pass->n_items == PASS_ITEMS_MAX) {
		pass->more_items = true;
		return;
	}
	item = &pass->items[pass->n_items++];
	*item = (struct pass_item){
		.run = row->id, .bytes = bytes_of(row, kind), .kind = kind, .rule = rule};
	(void)snprintf(item->project, sizeof(item->project), "%s", row->project);
}

/* Add to the sums, or subtract: a run that goes or must stay does not count for the others. */
static void sum_add(struct retention_sum *own, struct retention_sum *all, uint64_t bytes, bool add)
{
	struct retention_sum *sums[] = {own, all};

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		sums[i]->count += add ? 1 : UINT64_MAX;
		sums[i]->bytes += add ? bytes : 0 - bytes;
	}
}

static const struct retention_policy nothing_said;

static enum retention_rule judge(struct scheduler *scheduler, const struct store_kept *row,
				 enum retention_kind kind, enum retention_counted counted)
{
	struct retention_pass *pass = scheduler->retention.pass;
	struct project *project = project_get(scheduler, row->project);
	uint64_t age = pass->now_usec > row->ended_usec ? pass->now_usec - row->ended_usec : 0;
	uint64_t bytes = bytes_of(row, kind);
	enum retention_rule rule;

	if (!project)
		return RETENTION_KEEP; /* out of memory: keep it until the next pass */
	if (project->retained.pass != pass->serial)
		project->retained = (struct retention_sums){.pass = pass->serial};
	sum_add(&project->retained.sums[counted], &pass->all[counted], bytes, true);
	rule = retention_judge(&project->retention, &scheduler->config.retention, kind,
			       project->retained.sums[counted], pass->all[counted], age);
	if (rule != RETENTION_KEEP && last_success(scheduler, row)) {
		pass->n_successes += kind == RETENTION_RUNS;
		sum_add(&project->retained.sums[counted], &pass->all[counted], bytes, false);
		return RETENTION_KEEP;
	}
	if (rule != RETENTION_KEEP)
		sum_add(&project->retained.sums[counted], &pass->all[counted], bytes, false);
	return rule;
}

static void sentence_of(struct scheduler *scheduler, const struct store_kept *row,
			enum retention_kind kind, enum retention_rule rule, char *out, size_t size)
{
	const struct project *project = project_find(scheduler, row->project);
	struct retention_limit limit = retention_limit_of(
		project ? &project->retention : &nothing_said, &scheduler->config.retention, kind);

	retention_sentence(&limit, rule, kind, out, size);
}

/*
 * Remove @bits of a run, for @rule of @kind. All bits go in one removal, because its replies carry
 * only the number of the run. Return: 0, or -ENOMEM.
 */
static int take(struct scheduler *scheduler, const struct store_kept *row, uint64_t bits,
		enum retention_kind kind, enum retention_rule rule)
{
	char sentence[REASON_MAX + 1];

	if (!bits || scheduler->retention.pass->dry)
		return 0;
	sentence_of(scheduler, row, kind, rule, sentence, sizeof(sentence));
	return removal_start(scheduler, row, bits, sentence);
}

/* Sizes of artifacts are requested once, after the run ended, and are in the store afterwards. */
static void measure(struct scheduler *scheduler, const struct store_kept *row)
{
	if (row->artifact_bytes != STORE_BYTES_UNKNOWN || row->removing ||
	    !scheduler->cacher.channel.open || scheduler->retention.n_measuring >= MEASURES_MAX)
		return;
	scheduler->retention.n_measuring++;
	outbox_put(&scheduler->cacher, MESSAGE_NEW(artifacts_measure, row->id,
						   .project = row->project, .run = row->id));
}

/* Whether any part of the run may be removed. */
static bool may_go(struct scheduler *scheduler, const struct store_kept *row)
{
	struct retention_pass *pass = scheduler->retention.pass;

	pass->n_runs++;
	if (!run_state_final(row->state) || map_get(&scheduler->runs, row->id)) {
		pass->n_open++;
		return false;
	}
	if (row->pinned_usec) {
		pass->n_pinned++;
		return false;
	}
	return !row->removing;
}

/*
 * The limits of the whole run come first: its logs and artifacts are only judged if the run stays.
 */
static int look_at(struct scheduler *scheduler, const struct store_kept *row)
{
	static const struct {
		enum retention_kind kind;
		enum retention_counted counted;
		uint64_t bit;
	} parts[] = {
		{RETENTION_LOGS, COUNTED_LOGS, STORE_REMOVING_LOGS},
		{RETENTION_ARTIFACTS, COUNTED_ARTIFACTS, STORE_REMOVING_ARTIFACTS},
	};
	struct retention_pass *pass = scheduler->retention.pass;
	enum retention_kind kind = RETENTION_RUNS;
	enum retention_rule rule;
	uint64_t bits = 0;

	if (!may_go(scheduler, row))
		return 0;
	measure(scheduler, row);
	rule = judge(scheduler, row, RETENTION_RUNS,
		     row->unwanted ? COUNTED_UNWANTED : COUNTED_RUNS);
	if (rule != RETENTION_KEEP) {
		note(pass, row, RETENTION_RUNS, rule);
		return take(scheduler, row,
			    STORE_REMOVING_RUN | STORE_REMOVING_LOGS | STORE_REMOVING_ARTIFACTS,
			    RETENTION_RUNS, rule);
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		enum retention_rule part = RETENTION_KEEP;

		if (bytes_of(row, parts[i].kind))
			part = judge(scheduler, row, parts[i].kind, parts[i].counted);
		if (part == RETENTION_KEEP)
			continue;
		note(pass, row, parts[i].kind, part);
		bits |= parts[i].bit;
		kind = parts[i].kind;
		rule = part;
	}
	return take(scheduler, row, bits, kind, rule);
}

static bool is_short(const struct retention_short *missing)
{
	return missing->logs || missing->state;
}

/* Remove only what is large, on the file system that lacks space, and no more than is missing. */
static int look_for_space(struct scheduler *scheduler, const struct store_kept *row)
{
	struct retention_pass *pass = scheduler->retention.pass;
	struct retention_short *missing = &pass->missing;
	uint64_t bits = 0, logs = 0, state = 0;

	if (!may_go(scheduler, row))
		return 0;
	if (missing->logs && row->log_bytes) {
		bits |= STORE_REMOVING_LOGS;
		logs = row->log_bytes;
	}
	if (missing->state && row->artifact_bytes) { /* UNKNOWN counts as some */
		bits |= STORE_REMOVING_ARTIFACTS;
		state = artifact_bytes(row);
	}
	if (!bits || last_success(scheduler, row))
		return 0;
	missing->logs = u64_subtract(missing->logs, missing->one ? logs + state : logs);
	missing->state = u64_subtract(missing->state, missing->one ? logs + state : state);
	if (++pass->n_for_space == SPACE_RUNS_MAX)
		missing->logs = missing->state = 0;
	if (bits & STORE_REMOVING_LOGS)
		note(pass, row, RETENTION_LOGS, RETENTION_SPACE);
	if (bits & STORE_REMOVING_ARTIFACTS)
		note(pass, row, RETENTION_ARTIFACTS, RETENTION_SPACE);
	return removal_start(scheduler, row, bits, "too little room was left on disk");
}

/* ---- visiting all runs ---- */

static void retention_turn(struct loop_timer *timer);

static void turn_at(struct scheduler *scheduler, uint64_t at_usec)
{
	(void)loop_timer_set(scheduler->loop, &scheduler->retention.timer, at_usec, retention_turn);
}

static struct retention_pass *pass_free(struct retention_pass *pass)
{
	if (!pass)
		return NULL;
	free(pass->items);
	free(pass);
	return NULL;
}

static void pass_log(const struct retention_pass *pass)
{
	static const struct log_field fields[] = {{"MESSAGE_ID", MESSAGE_ID_RETENTION}};
	uint64_t n[RETENTION_NUM] = {0}, bytes = 0, sum = 0;
	char rules[128] = "";
	size_t used = 0;

	for (unsigned rule = RETENTION_AGE; rule < RETENTION_RULES; rule++) {
		uint64_t of_rule = 0;

		for (unsigned kind = 0; kind < RETENTION_NUM; kind++) {
			of_rule += pass->counts[kind][rule].n;
			n[kind] += pass->counts[kind][rule].n;
			bytes += pass->counts[kind][rule].bytes;
		}
		sum += of_rule;
		if (of_rule && used < sizeof(rules))
			used += (size_t)snprintf(rules + used, sizeof(rules) - used,
						 "%s%s %" PRIu64, used ? ", " : "",
						 retention_rule_name(rule), of_rule);
	}
	if (!sum || pass->dry)
		return;
	log_fields(LOG_LEVEL_NOTICE, fields, ARRAY_SIZE(fields),
		   "retention removed %" PRIu64 " runs, logs of %" PRIu64
		   " others, artifacts of %" PRIu64 " (%s): %" PRIu64 " bytes",
		   n[RETENTION_RUNS], n[RETENTION_LOGS], n[RETENTION_ARTIFACTS], rules, bytes);
}

/* The shortest age limit of all: a pass is due a few times within it. */
static uint64_t shortest_age_usec(struct scheduler *scheduler)
{
	struct project *project = NULL;
	uint64_t least = RETENTION_NO_LIMIT;
	size_t bucket = 0;
	const struct retention_policy *policy = &scheduler->config.retention;

	do {
		for (unsigned kind = 0; kind < RETENTION_NUM; kind++) {
			uint64_t age = policy->kinds[kind].age_sec;

			if (age && age < least)
				least = age;
		}
		project = project_next(scheduler, &bucket, project);
		policy = project ? &project->retention : NULL;
	} while (policy);
	return least < RETENTION_NO_LIMIT / USEC_PER_SEC ? least * USEC_PER_SEC
							 : RETENTION_NO_LIMIT;
}

/*
 * Passes follow the shortest age limit, ended runs and, so that they stay cheap, their own working
 * time.
 */
static uint64_t next_pass_usec(struct scheduler *scheduler)
{
	const struct retention *retention = &scheduler->retention;
	uint64_t interval = shortest_age_usec(scheduler) / 4;

	if (interval > INTERVAL_MAX_USEC)
		interval = INTERVAL_MAX_USEC;
	if (retention->ended && interval > INTERVAL_ENDED_USEC)
		interval = INTERVAL_ENDED_USEC;
	if (interval < INTERVAL_MIN_USEC)
		interval = INTERVAL_MIN_USEC;
	if (interval < INTERVAL_WORK * retention->pass_took_usec)
		interval = INTERVAL_WORK * retention->pass_took_usec;
	if (retention->held_usec > retention->passed_usec + interval)
		return retention->held_usec;
	return retention->passed_usec + interval;
}

static void pass_schedule(struct scheduler *scheduler)
{
	const struct retention *retention = &scheduler->retention;

	if (!scheduler->configured || retention->pass)
		return;
	turn_at(scheduler, retention->wanted || is_short(&retention->missing)
				   ? now_usec()
				   : next_pass_usec(scheduler));
}

/*
 * The pass and its removals are done: reply, then let the fetcher remove trees, and plan the next
 * pass.
 */
static void pass_end(struct scheduler *scheduler)
{
	struct retention *retention = &scheduler->retention;
	struct retention_pass *pass = retention->pass;

	retention->pass = NULL;
	pass_log(pass);
	if (pass->asked)
		retention_reply(scheduler, pass);
	if (!pass->dry)
		retention_trees_look(scheduler, pass->short_of_state);
	if (pass->for_space && pass->n_for_space == 0 && !retention->helpless) {
		retention->helpless = true;
		log_warning("too little room is left on disk, and no logs or artifacts are left "
			    "that may go: what is pinned, runs, or is the last success of a "
			    "branch stays");
	}
	if (!pass->for_space) {
		retention->passed_usec = now_usec();
		retention->pass_took_usec = pass->worked_usec;
		store_removed_trim(scheduler->store);
		turn_schedule(scheduler);
	}
	(void)pass_free(pass);
	pass_schedule(scheduler);
}

/* Return: whether all runs were visited. */
static bool pass_walk(struct scheduler *scheduler, struct chunk *chunk)
{
	struct retention *retention = &scheduler->retention;
	struct retention_pass *pass = retention->pass;
	int r;

	chunk->n = 0;
	r = pass->for_space ? store_kept_oldest_each(scheduler->store, pass->cursor, PASS_ROWS,
						     chunk_add, chunk)
			    : store_kept_newest_each(scheduler->store, pass->cursor, PASS_ROWS,
						     chunk_add, chunk);
	if (r < 0)
		return true; /* other reads report a store that cannot be read */
	for (size_t i = 0; i < chunk->n && r == 0; i++) {
		const struct store_kept *row = &chunk->rows[i].row;

		if (retention->n_removals >= REMOVALS_MAX && !pass->dry)
			return false;
		r = pass->for_space ? look_for_space(scheduler, row) : look_at(scheduler, row);
		pass->cursor = row->id;
		if (pass->for_space && !is_short(&pass->missing))
			return true;
	}
	return r < 0 || chunk->n < PASS_ROWS;
}

static struct retention_pass *pass_new(struct scheduler *scheduler)
{
	struct retention *retention = &scheduler->retention;
	struct retention_pass *pass = calloc(1, sizeof(*pass));

	if (!pass)
		return NULL;
	pass->serial = ++retention->pass_serial;
	pass->now_usec = wall_usec();
	pass->asked = retention->wanted;
	pass->dry = retention->wanted && retention->wanted_dry;
	pass->for_space = !retention->wanted && is_short(&retention->missing);
	pass->missing = retention->missing;
	pass->short_of_state = pass->for_space && retention->missing.state;
	retention->missing = (struct retention_short){0};
	if (!pass->for_space)
		retention->ended = false;
	return pass;
}

static void retention_turn(struct loop_timer *timer)
{
	struct scheduler *scheduler = container_of(timer, struct scheduler, retention.timer);
	struct retention *retention = &scheduler->retention;
	struct retention_pass *pass = retention->pass;
	uint64_t begun = now_usec();

	if (!pass)
		pass = retention->pass = pass_new(scheduler);
	if (pass && !pass->walked) {
		struct chunk *chunk = malloc(sizeof(*chunk));

		pass->walked = !chunk || pass_walk(scheduler, chunk);
		free(chunk);
		pass->worked_usec += now_usec() - begun;
	}
	if (!pass || (pass->walked && (pass->dry || retention->n_removals == 0))) {
		if (pass)
			pass_end(scheduler);
		return;
	}
	/*
	 * do not continue while the removals are at their maximum, or only the last ones are
	 * awaited: their end continues the pass
	 */
	if (!pass->walked && (pass->dry || retention->n_removals < REMOVALS_MAX))
		turn_at(scheduler, now_usec() + PAUSE_USEC);
}

/* ---- reasons to start a pass ---- */

void retention_continue(struct scheduler *scheduler)
{
	struct retention *retention = &scheduler->retention;

	if (!retention->pass || retention->timer.loop)
		return;
	/* not for each removal: reading a chunk for a single row is mostly wasted */
	if (retention->n_removals <= REMOVALS_MAX / 2)
		turn_at(scheduler, now_usec() + PAUSE_USEC);
}

void retention_configured(struct scheduler *scheduler)
{
	scheduler->retention.ended = true;
	scheduler->retention.pass_took_usec = 0;
	pass_schedule(scheduler);
}

void retention_reloaded(struct scheduler *scheduler)
{
	scheduler->retention.held_usec = now_usec() + RELOADED_USEC;
	retention_configured(scheduler);
}

void retention_run_ended(struct scheduler *scheduler)
{
	struct retention *retention = &scheduler->retention;

	if (retention->ended)
		return;
	retention->ended = true;
	pass_schedule(scheduler);
}

void retention_short(struct scheduler *scheduler, struct retention_short missing)
{
	struct retention *retention = &scheduler->retention;

	retention->missing = missing;
	if (!is_short(&missing))
		retention->helpless = false;
	else if (!retention->pass && scheduler->configured)
		turn_at(scheduler, now_usec());
}

void retention_clear(struct scheduler *scheduler)
{
	loop_timer_cancel(&scheduler->retention.timer);
	scheduler->retention.pass = pass_free(scheduler->retention.pass);
	removals_clear(scheduler);
	retention_trees_forget(scheduler);
}
