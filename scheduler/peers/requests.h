/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REQUESTS_H
#define SCHEDULER_REQUESTS_H

/* What each peer may say, as tables for its channel. */

#include "scheduler/model/scheduler.h"

struct message_table {
	const struct message_handler *handlers;
	size_t n_handlers;
};

/** requests_of() - handlers for messages from @role */
struct message_table requests_of(enum process_role role);

/** images_handlers - messages of runbook-image; see requests_images.c */
extern const struct message_handler images_handlers[];
extern const size_t n_images_handlers;

#endif
