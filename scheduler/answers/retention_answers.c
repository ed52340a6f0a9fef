/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about retention: gc, pin, unpin, and the reply for a run that was removed. */
#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/answers/answers.h"
#include "scheduler/engine/retention.h"
#include "scheduler/model/outbox.h"
#include "scheduler/store/store_retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* ---- removed runs ---- */

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
		/*
		 * removed so long ago that its date is forgotten, or lost when a backup was
		 * restored
		 */
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
