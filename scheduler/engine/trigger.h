/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_TRIGGER_H
#define SCHEDULER_TRIGGER_H

/*
 * DOC: What starts a run
 *
 * A run is started by a delivery of a forge, by a person who names a ref or uploads a working copy,
 * or as a retry of another run. The functions here check the request, refuse it with a status and a
 * sentence, or make the run. Schedules have their own file, schedule.h.
 */

#include "scheduler/engine/run.h"

/** struct trigger - a delivery, as the webhook process sent it */
struct trigger {
	const char *project, *delivery, *event, *ref, *before, *after, *actor, *title;
	uint64_t pull_request; /* number, 0: not a pull request */
	const char *base_ref;  /* the branch it goes to, "" for other events */
	bool from_fork;
	const char *action; /* what happened to the pull request, in the forge's term; "": a push */
	const void
		*body; /* digest of the signed body; NULL if its id and time were signed as well */
};

/** struct trigger_answer - the outcome, for the reply */
struct trigger_answer {
	unsigned status; /* HTTP: 202 new, 200 duplicate or ignored, 4xx, 503 */
	uint64_t run;	 /* 0: none */
	char reason[REASON_MAX + 1];
};

/** trigger_delivery() - make a run from a delivery, unless it is a duplicate */
void trigger_delivery(struct scheduler *scheduler, const struct trigger *trigger,
		      struct trigger_answer *answer);
/** trigger_manual() - make a run at a person's request; @ref and @commit may be "" */
void trigger_manual(struct scheduler *scheduler, const char *project, const char *ref,
		    const char *commit, struct trigger_answer *answer);
/** trigger_upload() - make a run from an uploaded working copy, a tar in @fd (owned) */
void trigger_upload(struct scheduler *scheduler, const char *project, const char *ref,
		    const char *commit, int fd, struct trigger_answer *answer);
/** trigger_retry() - make a new run like @run: same commit, same frozen runbook */
void trigger_retry(struct scheduler *scheduler, uint64_t run, struct trigger_answer *answer);

#endif
