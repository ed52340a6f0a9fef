/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_H
#define COMMON_STEP_H

/* Enumerations about a step that scheduler, daemon and sandbox share. */

/** enum step_network - the network of a step (sandbox/host_network.h) */
enum step_network {
	STEP_NETWORK_EGRESS = 0,
	STEP_NETWORK_NONE = 1,
	STEP_NETWORK_ISOLATED = 2,
	STEP_NETWORK_NUM,
};

/** enum step_result - how an attempt of a step ended, by the daemon's report */
enum step_result {
	STEP_RESULT_EXITED = 0,	  /* see the exit code */
	STEP_RESULT_SIGNALED = 1, /* see the signal, which runbookd did not send */
	STEP_RESULT_TIMEOUT = 2,
	STEP_RESULT_CANCELLED = 3,
	STEP_RESULT_MEMORY = 4,	 /* killed at its memory limit */
	STEP_RESULT_SANDBOX = 5, /* the sandbox could not be built, so the step is "errored" */
	STEP_RESULT_NUM,
};

/** enum step_objects - the git objects that a step sees at /run/runbookd/mirror/objects */
enum step_objects {
	STEP_OBJECTS_NONE = 0,	 /* none, as there is no repository */
	STEP_OBJECTS_MIRROR = 1, /* all objects of the project's mirror */
	STEP_OBJECTS_VIEW = 2,	 /* those of its view: a fork's pull request and its base */
	STEP_OBJECTS_NUM,
};

#endif
