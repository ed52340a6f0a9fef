/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon_state.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/daemon.h"

#include <assert.h>

static const char *const names[] = {
	[DAEMON_STARTING] = "starting", [DAEMON_READY] = "ready",
	[DAEMON_STOPPING] = "stopping", [DAEMON_REPORTING] = "reporting",
	[DAEMON_CLOSING] = "closing",	[DAEMON_LEAVING] = "leaving",
	[DAEMON_BECOMING] = "becoming",
};
static_assert(ARRAY_SIZE(names) == DAEMON_STATE_NUM, "a state without a name");

#define TO(state) (1u << (state))

static const unsigned allowed[] = {
	[DAEMON_STARTING] =
		TO(DAEMON_READY) | TO(DAEMON_STOPPING) | TO(DAEMON_LEAVING) | TO(DAEMON_BECOMING),
	[DAEMON_READY] = TO(DAEMON_STOPPING) | TO(DAEMON_LEAVING) | TO(DAEMON_BECOMING),
	[DAEMON_STOPPING] = TO(DAEMON_REPORTING),
	[DAEMON_REPORTING] = TO(DAEMON_CLOSING),
	[DAEMON_CLOSING] = 0,
	[DAEMON_LEAVING] = 0,
	/* the other program could not be executed: back to the earlier state */
	[DAEMON_BECOMING] = TO(DAEMON_STARTING) | TO(DAEMON_READY),
};
static_assert(ARRAY_SIZE(allowed) == DAEMON_STATE_NUM, "a state without its transitions");

const char *daemon_state_name(enum daemon_state state)
{
	return state < DAEMON_STATE_NUM ? names[state] : "invalid";
}

bool daemon_state_allowed(enum daemon_state from, enum daemon_state to)
{
	return from < DAEMON_STATE_NUM && to < DAEMON_STATE_NUM && (allowed[from] & TO(to));
}

void daemon_state_set(struct daemon *daemon, enum daemon_state to)
{
	assert(daemon_state_allowed(daemon->state, to));
	log_debug("%s -> %s", daemon_state_name(daemon->state), daemon_state_name(to));
	daemon->state = to;
}
