/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of retention: gc, pin, unpin, and where a run went. */
#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/answers.h"
#include "scheduler/outbox.h"
#include "scheduler/retention_pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* ---- runs that are gone ---- */

static void date_text(uint64_t usec, char *out, size_t size)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || strftime(out, size, "%Y-%m-%d", &utc) == 0)
		(void)snprintf(out, size, "an unknown day");
}

void reply_no_run(const struct request *request)
{
	struct store *store = request->scheduler->store;
	uint64_t usec = 0, last = 0;
	char date[64];
	int r = store_removed_find(store, request->ask.run, &usec);

	if (r > 0) {
		date_text(usec, date, sizeof(date));
		reply_error(request, 410, "run %" PRIu64 " was removed by retention on %s",
			    request->ask.run, date);
	} else if (r == 0 && store_run_last_id(store, &last) == 0 && request->ask.run &&
		   request->ask.run <= last) {
		/* too long ago for its date to be known, or lost with what a backup replaced */
		reply_error(request, 410,
			    "run %" PRIu64 " was removed by retention, or is younger than the "
			    "backup that was restored",
			    request->ask.run);
	} else {
		reply_error(request, 404,
			    "run %" PRIu64 " does not exist: `runbookctl runs` lists them",
			    request->ask.run);
	}
}

/* ---- pin ---- */

static void note_pinned(const struct store_run *row, void *userdata)
{
	*(uint64_t *)userdata = row->pinned_usec;
}

static void answer_pin(const struct request *request, bool pin)
{
	struct scheduler *scheduler = request->scheduler;
	struct run *run = map_get(&scheduler->runs, request->ask.run);
	cleanup_json struct json json = {0};
	uint64_t since = 0;
	int r = store_run_get(scheduler->store, request->ask.run, note_pinned, &since);

	if (r < 0) {
		reply_store_error(request, r);
		return;
	}
	if (r == 0) {
		reply_no_run(request);
		return;
	}
	if (pin != (since != 0)) {
		since = pin ? wall_usec() : 0;
		store_run_pin(scheduler->store, request->ask.run, since);
		if (run)
			run->row.pinned_usec = since;
		turn_schedule(scheduler);
		log_notice("run %" PRIu64 " is %s", request->ask.run,
			   pin ? "pinned: retention keeps it" : "pinned no longer");
	}
	json_open(&json, NULL, '{');
	json_number(&json, "run", request->ask.run);
	json_bool(&json, "pinned", pin);
	json_number_or_null(&json, "pinned_usec", since);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}

void answer_run_pin(const struct request *request)
{
	answer_pin(request, true);
}

void answer_run_unpin(const struct request *request)
{
	answer_pin(request, false);
}

/* ---- gc ---- */

void answer_gc(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct retention *retention = &scheduler->retention;

	if (!scheduler->configured) {
		reply_error(request, 503, "the scheduler is starting: try again");
		return;
	}
	if (retention->wanted && retention->wanted_generation == scheduler->api.generation) {
		reply_error(request, 409, "gc is running already: wait for it");
		return;
	}
	retention->wanted = true;
	retention->wanted_dry = request->ask.gc.dry_run;
	retention->wanted_serial = request->serial;
	retention->wanted_generation = scheduler->api.generation;
	retention_configured(scheduler);
}

static void write_counts(struct json *json, const struct retention_pass *pass,
			 enum retention_kind kind, const char *key)
{
	uint64_t n = 0, bytes = 0;

	json_open(json, key, '{');
	for (unsigned rule = RETENTION_AGE; rule < RETENTION_RULES; rule++) {
		const struct pass_count *count = &pass->counts[kind][rule];

		json_number(json, retention_rule_name(rule), count->n);
		n += count->n;
		bytes += count->bytes;
	}
	json_number(json, "total", n);
	json_number(json, "bytes", bytes);
	json_close(json, '}');
}

static void write_items(struct json *json, const struct retention_pass *pass)
{
	json_open(json, "items", '[');
	for (size_t i = 0; i < pass->n_items; i++) {
		const struct pass_item *item = &pass->items[i];

		json_open(json, NULL, '{');
		json_number(json, "run", item->run);
		json_text(json, "project", item->project);
		json_text(json, "what", retention_kind_name(item->kind));
		json_text(json, "rule", retention_rule_name(item->rule));
		json_number(json, "bytes", item->bytes);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_bool(json, "more_items", pass->more_items);
}

static void write_database(struct json *json, struct store *store)
{
	uint64_t bytes = 0, unused = 0;

	(void)store_size(store, &bytes, &unused);
	json_open(json, "database", '{');
	json_number(json, "bytes", bytes);
	json_number(json, "unused", unused);
	json_close(json, '}');
}

void retention_reply(struct scheduler *scheduler, const struct retention_pass *pass)
{
	struct retention *retention = &scheduler->retention;
	const struct request request = {.scheduler = scheduler, .serial = retention->wanted_serial};
	cleanup_json struct json json = {0};

	retention->wanted = false;
	if (retention->wanted_generation != scheduler->api.generation)
		return; /* who asked is gone */
	json_open(&json, NULL, '{');
	json_bool(&json, "dry_run", pass->dry);
	write_counts(&json, pass, RETENTION_RUNS, "runs");
	write_counts(&json, pass, RETENTION_LOGS, "logs");
	write_counts(&json, pass, RETENTION_ARTIFACTS, "artifacts");
	json_open(&json, "kept", '{');
	json_number(&json, "looked_at", pass->n_runs);
	json_number(&json, "not_ended", pass->n_open);
	json_number(&json, "pinned", pass->n_pinned);
	json_number(&json, "last_success", pass->n_successes);
	json_close(&json, '}');
	write_database(&json, scheduler->store);
	write_items(&json, pass);
	json_close(&json, '}');
	reply_json(&request, 200, &json);
}
