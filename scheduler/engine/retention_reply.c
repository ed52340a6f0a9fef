/* SPDX-License-Identifier: Apache-2.0 */
/* The reply to gc: what a pass of retention removed, or would remove. */
#include "scheduler/engine/retention_pass.h"
#include "scheduler/model/reply.h"

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
		return; /* the api that sent the request has ended */
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
