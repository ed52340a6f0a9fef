/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_RETENTION_H
#define CACHER_RETENTION_H

/*
 * DOC: Removal of artifacts by retention
 *
 * The scheduler decides which runs lose their artifacts and sends project and run; this module
 * removes the run's keys, and contents that no other key names. It removes a few keys in each turn
 * of the loop, so that a run with ten thousand keys does not delay other requests. It also reports
 * the bytes of a run, on request and after each key that the api stored.
 */

#include "cacher/store.h"
#include "common/message.h"

struct retention;

/** retention_new() - @loop and @store must outlive it. Return: 0 or -ENOMEM. */
int retention_new(struct loop *loop, struct store *store, struct retention **ret_retention);
/** retention_attach() - serve @fd, a new channel of the scheduler. Return: 0 or -errno. */
int retention_attach(struct retention *retention, int fd);
/** retention_put() - the api stored a key of @run; an answers_put_fn of a struct retention */
void retention_put(void *userdata, const char *project, uint64_t run);

#endif
