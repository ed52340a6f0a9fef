/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REQUESTS_H
#define SCHEDULER_REQUESTS_H

/*
 * DOC: Messages that the scheduler receives
 *
 * One table of handlers for each peer: a message that is not in the table of its channel closes
 * the channel. The handlers in requests.c and requests_images.c read a message, check what its
 * format cannot bound, and call the function that does the work; they decide nothing themselves.
 */

#include "scheduler/model/scheduler.h"

struct message_table {
	const struct message_handler *handlers;
	size_t n_handlers;
};

/** requests_of() - the handlers for messages from @role */
struct message_table requests_of(enum process_role role);

/** images_handlers - messages of runbook-image; see requests_images.c */
extern const struct message_handler images_handlers[];
extern const size_t n_images_handlers;

#endif
