/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DELIVERIES_H
#define SCHEDULER_DELIVERIES_H

/*
 * DOC: Duplicate deliveries
 *
 * A forge may send a delivery again, and a recorded one may be sent by an attacker. A delivery is a
 * duplicate, and gets the run of the first one in its reply, when
 *
 * - an earlier one had the same id, even if its run was deleted since;
 * - an earlier one had the same signed body under another id, where neither id nor time is signed.
 *   The exception: the branch is known to be elsewhere meanwhile. Then a run is made, which goes on
 *   only if the fetched branch is at that commit again;
 * - the newest delivery of the same branch or pull request asked for the same in all respects
 *   within the last minute (a second hook), and its run was neither cut short nor errored.
 *
 * After [Retention] Deliveries= a delivery is forgotten.
 */

#include "scheduler/engine/run.h"
#include "scheduler/engine/trigger.h"

#define DELIVERY_PLACE_MAX (REF_NAME_MAX + 64)

/** struct delivery - a delivery while it is compared with earlier ones */
struct delivery {
	struct store_delivery row; /* points into the other members and the trigger */
	bool may_come_back;
	char place[DELIVERY_PLACE_MAX];
	unsigned char asked[STORE_DIGEST_SIZE];
};

/**
 * delivery_init() - fill in @delivery from @trigger and the row of the run it would become; both
 * must outlive it
 */
void delivery_init(struct delivery *delivery, const struct trigger *trigger,
		   const struct store_run *run);
/**
 * delivery_find() - find the run that @delivery already has
 * @ret_run: with 1: that run; with 0: the run that had the same signed body, 0: none
 *
 * Return: 1; 0 when @delivery is to become a run; -errno.
 */
int delivery_find(struct store *store, struct delivery *delivery, uint64_t *ret_run);
/** delivery_add() - record that @delivery became @run */
void delivery_add(struct store *store, struct delivery *delivery, uint64_t run);

/**
 * delivery_doubted() - whether it is still open if @run's ref is at its commit, see
 * delivery_confirm()
 */
bool delivery_doubted(const struct run *run);
/**
 * delivery_confirm() - decide a doubted run by the commit that its ref names
 * @commit: from the fetcher; "" when the ref does not exist
 *
 * Return: true: the run goes on; false: it was ended as not wanted.
 */
bool delivery_confirm(struct run *run, const char *commit);

/** deliveries_configure() - a new configuration is in force: forget old deliveries by its limit */
void deliveries_configure(struct scheduler *scheduler);

#endif
