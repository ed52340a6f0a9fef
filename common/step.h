/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_H
#define COMMON_STEP_H

/* Words about a step that scheduler, daemon and sandbox share. */

/** enum step_network - what a step reaches */
enum step_network {
	STEP_NETWORK_EGRESS = 0,
	STEP_NETWORK_NONE = 1,
	STEP_NETWORK_ISOLATED = 2,
	STEP_NETWORK_NUM,
};

/** enum step_result - how one attempt of a step ended, as the daemon saw it */
enum step_result {
	STEP_RESULT_EXITED = 0,	  /* exit code says more */
	STEP_RESULT_SIGNALED = 1, /* signal says more; not ours */
	STEP_RESULT_TIMEOUT = 2,
	STEP_RESULT_CANCELLED = 3,
	STEP_RESULT_MEMORY = 4,	 /* killed at its memory limit */
	STEP_RESULT_SANDBOX = 5, /* could not be built: ours, "errored" */
	STEP_RESULT_NUM,
};

/** enum step_objects - which objects of git a step sees at /run/runbookd/mirror/objects */
enum step_objects {
	STEP_OBJECTS_NONE = 0,	 /* it has no repository */
	STEP_OBJECTS_MIRROR = 1, /* all that the project's mirror has */
	STEP_OBJECTS_VIEW = 2,	 /* those of its view: what a stranger proposed, and its base */
	STEP_OBJECTS_NUM,
};

#endif
