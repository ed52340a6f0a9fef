/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_DAEMON_STATE_H
#define DAEMON_DAEMON_STATE_H

/*
 * DOC: The life of runbookd
 *
 *   starting  -> ready, stopping, leaving, becoming
 *   ready     -> stopping, leaving, becoming
 *   stopping  -> reporting -> closing, the end of the process
 *   leaving   the end of the process; steps go on
 *   becoming  execve(2); starting or ready again when that fails
 *
 * The state is changed by daemon_state_set() alone, which asserts that the change is in
 * the table of daemon_state.c.
 */

#include <stdbool.h>

struct daemon;

enum daemon_state {
	DAEMON_STARTING,  /* until every child has greeted */
	DAEMON_READY,	  /* every child has; one that dies comes back */
	DAEMON_STOPPING,  /* steps and sandboxes of layers end */
	DAEMON_REPORTING, /* they have ended; the scheduler has a moment to commit their results */
	DAEMON_CLOSING,	  /* children end */
	DAEMON_LEAVING,	  /* children end, steps go on; systemd starts the next runbookd */
	DAEMON_BECOMING,  /* the same, and this process executes the next runbookd */
	DAEMON_STATE_NUM,
};

/** daemon_state_name() - the state's name for the log, a static string */
const char *daemon_state_name(enum daemon_state state);
/** daemon_state_allowed() - is the change from @from to @to in the table? */
bool daemon_state_allowed(enum daemon_state from, enum daemon_state to);
/** daemon_state_set() - change .state and log it; the caller does what follows from it */
void daemon_state_set(struct daemon *daemon, enum daemon_state to);

/** daemon_state_ends() - children are not started again, and nothing new begins */
static inline bool daemon_state_ends(enum daemon_state state)
{
	return state >= DAEMON_STOPPING;
}

/** daemon_state_leaves() - this program ends, its steps go on */
static inline bool daemon_state_leaves(enum daemon_state state)
{
	return state == DAEMON_LEAVING || state == DAEMON_BECOMING;
}

#endif
