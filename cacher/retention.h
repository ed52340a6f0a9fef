/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_RETENTION_H
#define CACHER_RETENTION_H

/*
 * DOC: Artifacts that the scheduler's retention removes
 *
 * The scheduler decides and names project and run; the keys and contents are ours.
 * Some keys of a run go in each turn of the loop, so that a run of ten thousand
 * holds nobody up.
 */

#include "cacher/store.h"
#include "common/message.h"

struct retention;

/** retention_new() - Return: 0 or -ENOMEM; @loop and @store must outlive it */
int retention_new(struct loop *loop, struct store *store, struct retention **ret_retention);
/** retention_attach() - serve a new channel to the scheduler, in place of the old one */
int retention_attach(struct retention *retention, int fd);
/** retention_put() - @run has one more key, put by the api: an answers_put_fn of a struct retention */
void retention_put(void *userdata, const char *project, uint64_t run);

#endif
