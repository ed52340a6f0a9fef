/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_ANSWERS_H
#define IMAGES_ANSWERS_H

/* What people ask: IMAGE_REQUEST of the api, by a table of verbs. */

#include "common/message.h"

/** answers_on_request() - handler of IMAGE_REQUEST; the channel's userdata is the service */
int answers_on_request(struct channel *channel, struct message *message);

#endif
