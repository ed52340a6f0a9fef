/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PEER_H
#define SCHEDULER_PEER_H

/* Who is at the other end of a channel of the scheduler. */

#include "common/loop.h"
#include "common/message.h"

#include <stdint.h>

struct scheduler;

/** struct peer - the process at the other end of a channel; it may come back as a new one */
struct peer {
	struct channel channel;
	struct loop_timer absent_timer;
	struct scheduler *scheduler;
	enum process_role role;
	uint64_t generation; /* grows with each new channel */
};

#endif
