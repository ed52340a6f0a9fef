/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: deliveries. */
#include "scheduler/store/store_internal.h"

#define DIGEST(x) ((x) ? BYTES((x), STORE_DIGEST_SIZE) : (struct store_value){.kind = VALUE_NULL})

void store_delivery_add(struct store *store, const struct store_delivery *delivery)
{
	(void)WRITE(store, STATEMENT_DELIVERY_ADD, TEXT(delivery->project), TEXT(delivery->id),
		    NUMBER(delivery->run), NUMBER(delivery->received_usec), DIGEST(delivery->body),
		    TEXT(delivery->place), TEXT(delivery->after), DIGEST(delivery->asked),
		    NUMBER(delivery->doubt));
}

void store_delivery_confirm(struct store *store, const char *project, const char *place,
			    uint64_t run)
{
	(void)WRITE(store, STATEMENT_DELIVERY_CONFIRM, TEXT(project), TEXT(place), NUMBER(run));
}

uint64_t store_deliveries_prune(struct store *store, uint64_t before_usec, uint64_t limit)
{
	int r = WRITE(store, STATEMENT_DELIVERIES_PRUNE, NUMBER(before_usec), NUMBER(limit));

	return r == 0 ? (uint64_t)sqlite3_changes64(store->database) : 0;
}

int store_delivery_find(struct store *store, const char *project, const char *delivery,
			uint64_t *ret_run)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_DELIVERY_FIND, &r, TEXT(project), TEXT(delivery));

	return statement ? store_number_read(store, statement, ret_run) : r;
}

int store_delivery_find_body(struct store *store, const char *project, const void *body,
			     uint64_t *ret_run)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_DELIVERY_FIND_BODY, &r, TEXT(project), DIGEST(body));

	return statement ? store_number_read(store, statement, ret_run) : r;
}

int store_delivery_last(struct store *store, const char *project, const char *place, bool doubt,
			store_delivery_fn each, void *userdata)
{
	struct store_delivery delivery = {.project = project, .place = place};
	int r, found = 0;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_DELIVERY_LAST, &r, TEXT(project),
					     TEXT(place), NUMBER(doubt));

	if (!statement)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		const char *after = (const char *)sqlite3_column_text(statement, 2);

		delivery.run = (uint64_t)sqlite3_column_int64(statement, 0);
		delivery.received_usec = (uint64_t)sqlite3_column_int64(statement, 1);
		delivery.after = after ? after : "";
		if (sqlite3_column_bytes(statement, 3) == STORE_DIGEST_SIZE)
			delivery.asked = sqlite3_column_blob(statement, 3);
		each(&delivery, userdata);
		found = 1;
	}
	r = store_statement_end(store, statement, r);
	return r < 0 ? r : found;
}
