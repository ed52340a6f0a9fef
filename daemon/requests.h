/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_REQUESTS_H
#define DAEMON_REQUESTS_H

/*
 * DOC: What children may request of root
 *
 * The table has a handler for each message that root accepts; nothing else reaches this
 * process. common/message_table.h decides which child may send which of them. A child may
 * have been taken over by an attacker, so each handler checks every field again. A field
 * that breaks the rules closes the channel (-EBADMSG), which ends the child. An order to start a
 * step is the exception: what is wrong in it ends that step as errored.
 */

#include "common/message.h"

/* for struct child_hooks */

extern const struct message_handler requests_table[];
extern const size_t requests_table_size;

#endif
