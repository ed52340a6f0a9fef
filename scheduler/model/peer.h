/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PEER_H
#define SCHEDULER_PEER_H

/*
 * DOC: Peers
 *
 * A peer is the process at the other end of one of the scheduler's channels. When that process
 * ends, runbookd starts it again and sends a new channel for the same peer; the generation tells
 * the two processes apart, so that a reply never reaches one that did not send the request.
 */

#include "common/loop.h"
#include "common/message.h"

#include <stdint.h>

struct scheduler;

/** struct peer - the process at the other end of a channel */
struct peer {
	struct channel channel;
	struct loop_timer lost_timer; /* set while the channel is closed */
	struct scheduler *scheduler;
	enum process_role role;
	uint64_t generation; /* incremented with each new channel */
};

#endif
