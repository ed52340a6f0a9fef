/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_TRIGGER_H
#define SCHEDULER_TRIGGER_H

/* What makes a new run: deliveries, people, uploads, retries. */

#include "scheduler/engine/run.h"

/** struct trigger - one delivery, as the webhook process sent it */
struct trigger {
	const char *project, *delivery, *event, *ref, *before, *after, *actor, *title;
	uint64_t pull_request; /* its number, 0: none */
	const char *base_ref;  /* that it goes to, "" for others */
	bool from_fork;
	const char *action; /* what happened to the pull request, in the forge's word; "": a push */
	const void *body;   /* digest of what was signed, NULL if its time and id were as well */
};

/** struct trigger_answer - what the asker hears */
struct trigger_answer {
	unsigned status; /* HTTP: 202 new, 200 duplicate or ignored, 4xx, 503 */
	uint64_t run;	 /* 0: there is none */
	char reason[REASON_MAX + 1];
};

/** trigger_delivery() - a delivery becomes a run, once */
void trigger_delivery(struct scheduler *scheduler, const struct trigger *trigger,
		      struct trigger_answer *answer);
/** trigger_manual() - somebody asks for a run; @ref and @commit may be "" */
void trigger_manual(struct scheduler *scheduler, const char *project, const char *ref,
		    const char *commit, struct trigger_answer *answer);
/** trigger_upload() - somebody hands a working copy over as a tar in @fd (owned) */
void trigger_upload(struct scheduler *scheduler, const char *project, const char *ref,
		    const char *commit, int fd, struct trigger_answer *answer);
/** trigger_retry() - a new run like @run: same commit, same frozen runbook */
void trigger_retry(struct scheduler *scheduler, uint64_t run, struct trigger_answer *answer);

#endif
