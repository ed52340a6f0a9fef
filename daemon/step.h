/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_H
#define DAEMON_STEP_H

#include "common/error.h"

#include <stddef.h>

struct daemon;
struct step_table;

/** steps_new() - an empty table for @daemon. Return: 0 or -errno with @error. */
int steps_new(struct daemon *daemon, struct step_table **ret_table, struct error *error);
/** steps_free() - when nothing runs any more. NULL is fine. Return: NULL. */
struct step_table *steps_free(struct step_table *table);
/** steps_resend() - tell a new scheduler everything that it has not acknowledged */
void steps_resend(struct step_table *table);
/** steps_relisten() - hand the steps' sockets to a new cacher */
void steps_relisten(struct step_table *table);
/** steps_stop() - cancel every step, and start none any more */
void steps_stop(struct step_table *table);
/** steps_running(), steps_unacknowledged() - how many there are */
size_t steps_running(const struct step_table *table);
size_t steps_unacknowledged(const struct step_table *table);

#endif
