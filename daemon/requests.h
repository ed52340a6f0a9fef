/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_REQUESTS_H
#define DAEMON_REQUESTS_H

/*
 * What the children may ask of root. The table is the whole surface: each
 * handler checks every field again, because who asks may be taken over.
 */

#include "common/message.h"

extern const struct message_handler requests_table[];
extern const size_t requests_table_size;

#endif
