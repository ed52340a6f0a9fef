/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGES_H
#define SCHEDULER_IMAGES_H

/*
 * DOC: Images, as far as they decide what starts
 *
 * runbook-image tells all images whenever one comes or goes; the table here is
 * replaced as a whole. A step whose image is not in it stands aside until it is
 * there, or until runbook-image says that it cannot be had. The first step of a
 * run that uses a name fixes what the name means for all of the run.
 *
 * An image that was pulled with credentials is here for those runs only that may
 * use these credentials; for the others, runbook-image is asked as if it were not.
 */

#include "scheduler/model/scheduler.h"

struct message_image_missing;

/** images_clear() - release everything; nothing may wait any more */
void images_clear(struct images *images);

/**
 * images_ready() - may @step start, as far as its image goes?
 *
 * If not, it stands aside: queued as soon as the image is there, errored when it
 * cannot be had. Called when a step becomes ready.
 */
bool images_ready(struct step *step);
/**
 * images_of() - the image of @step, fixed for its run from now on
 * @ret_image: NULL for "host"
 *
 * Return: 0; -EAGAIN while nobody knows; -ENOENT with @error.
 */
int images_of(struct step *step, const struct image_record **ret_image, struct error *error);
/** images_run_fix() - @run's @name means @id: from the store, after a restart. Return: 0, -ENOMEM. */
int images_run_fix(struct run *run, const char *name, const char *id);
void images_run_clear(struct run *run);
/** images_reason() - why @step stands aside, "" when it does not */
void images_reason(const struct step *step, char *out, size_t size);
/** images_reask() - runbook-image is new: it knows nothing of what waits */
void images_reask(struct scheduler *scheduler);
/** image_table_clear() - release what @table has; it is empty then */
void image_table_clear(struct image_table *table);
/** images_wake() - a new table is in force: what waited for an image in it may go on */
void images_wake(struct scheduler *scheduler);

/* ---- images_retry.c ---- */

/** images_want() - ask runbook-image for what @wait waits for */
void images_want(struct image_wait *wait);
/**
 * images_missing() - runbook-image says that runs of a project cannot have an image
 * @missing: with .again it is asked for again, while its steps have time
 * @ended:   called after each step that ends by it: one that becomes ready then ends, too
 */
void images_missing(struct scheduler *scheduler, const struct message_image_missing *missing,
		    void (*ended)(struct scheduler *scheduler));
/** images_retry_reason() - why @wait waits for its next try; false when it does not */
bool images_retry_reason(const struct image_wait *wait, const struct step *step, char *out,
			 size_t size);

#endif
