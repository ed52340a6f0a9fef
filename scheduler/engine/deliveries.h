/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DELIVERIES_H
#define SCHEDULER_DELIVERIES_H

/*
 * DOC: Which deliveries are one and the same
 *
 * - The same id: always, and always answered with the first run, also when that is deleted.
 * - The same signed body under another id, where neither id nor time is signed: a person
 *   who recorded it may have sent it again. It starts nothing, unless the branch went elsewhere
 *   meanwhile and the forge has it back at that commit when it is fetched.
 * - The newest delivery of a branch or pull request asked for the same in all within the
 *   last minute (a second hook), and its run was neither cut short nor errored.
 *
 * After [Retention] Deliveries= a delivery is forgotten.
 */

#include "scheduler/engine/run.h"
#include "scheduler/engine/trigger.h"

#define DELIVERY_PLACE_MAX (REF_NAME_MAX + 64)

/** struct delivery - one that is looked at */
struct delivery {
	struct store_delivery row; /* points into the rest, and into the trigger */
	bool may_come_back;
	char place[DELIVERY_PLACE_MAX];
	unsigned char asked[STORE_DIGEST_SIZE];
};

/** delivery_init() - @delivery of @trigger, which is to become @run; both must outlive it */
void delivery_init(struct delivery *delivery, const struct trigger *trigger,
		   const struct store_run *run);
/**
 * delivery_find() - does a run stand for @delivery already?
 * @ret_run: with 1: that run; with 0: the run whose signed body was the same, 0: it is new
 *
 * Return: 1; 0 when it is to become a run; -errno.
 */
int delivery_find(struct store *store, struct delivery *delivery, uint64_t *ret_run);
/** delivery_add() - @delivery became @run */
void delivery_add(struct store *store, struct delivery *delivery, uint64_t run);

/** delivery_doubted() - is it open whether @run's ref names its commit, see delivery_confirm()? */
bool delivery_doubted(const struct run *run);
/**
 * delivery_confirm() - a run that is doubted learns what its ref names
 * @commit: "" when the ref is not there
 *
 * Return: true: it goes on; false: it was ended as not wanted.
 */
bool delivery_confirm(struct run *run, const char *commit);

/** deliveries_configure() - a configuration is in force: forget from now on what it says */
void deliveries_configure(struct scheduler *scheduler);

#endif
