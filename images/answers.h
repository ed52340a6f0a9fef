/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_ANSWERS_H
#define IMAGES_ANSWERS_H

/*
 * DOC: Requests of people
 *
 * Each "runbookctl image" command arrives as an IMAGE_REQUEST of the api process. Each verb
 * (list, pull, import, remove, prune, job) has a function in one table. A pull or import is begun
 * and answered with the number of its job (jobs.h), whose state is another request.
 */

#include "common/message.h"

/** answers_on_request() - IMAGE_REQUEST; userdata: a struct service. Return: < 0 closes @channel */
int answers_on_request(struct channel *channel, struct message *message);

#endif
