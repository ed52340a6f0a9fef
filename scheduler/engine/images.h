/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGES_H
#define SCHEDULER_IMAGES_H

/*
 * DOC: Images that steps wait for
 *
 * runbook-image reports the complete table of images whenever one comes or goes; the table here is
 * replaced as a whole. A step whose image is not in it is parked until the image is there, or until
 * runbook-image reports that it cannot be had. The first step of a run that uses a name fixes what
 * the name stands for in the whole run.
 *
 * An image that was pulled with credentials is visible only to runs that may use these credentials;
 * for other runs it is requested from runbook-image as if it were missing.
 */

#include "scheduler/model/scheduler.h"

struct message_image_missing;

/** images_clear() - release everything; no step may be waiting */
void images_clear(struct images *images);

/**
 * images_ready() - whether @step, which became ready, has its image
 *
 * If not, it is parked: queued as soon as the image is there, errored when it cannot be had.
 */
bool images_ready(struct step *step);
/**
 * images_of() - the image of @step, fixed for its run from now on
 * @ret_image: NULL for "host"
 *
 * Return: 0; -EAGAIN while no table has arrived; -ENOENT with @error.
 */
int images_of(struct step *step, const struct image_record **ret_image, struct error *error);
/**
 * images_run_fix() - @name stands for @id in @run: from the store, after a restart. Return: 0 or
 * -ENOMEM.
 */
int images_run_fix(struct run *run, const char *name, const char *id);
/** images_run_clear() - release the names that are fixed for @run */
void images_run_clear(struct run *run);
/** images_reason() - why @step is parked, as a sentence; "" when it is not */
void images_reason(const struct step *step, char *out, size_t size);
/**
 * images_reask() - a new runbook-image is connected: drop a half-sent table; its own table brings
 * the requests again
 */
void images_reask(struct scheduler *scheduler);
/** image_table_clear() - release the contents of @table; it is empty then */
void image_table_clear(struct image_table *table);
/** images_wake() - a new table is in force: release the steps whose image is in it */
void images_wake(struct scheduler *scheduler);

/* ---- images_retry.c ---- */

/** images_want() - request the image of @wait from runbook-image */
void images_want(struct image_wait *wait);
/**
 * images_missing() - runbook-image reports that runs of a project cannot have an image
 * @missing: with .again it is requested again while its steps have time left
 * @ended:   called after each step that ends by this; a step that then becomes ready ends as well
 */
void images_missing(struct scheduler *scheduler, const struct message_image_missing *missing,
		    void (*ended)(struct scheduler *scheduler));
/** images_retry_reason() - why @wait waits for its next try; false when it does not */
bool images_retry_reason(const struct image_wait *wait, const struct step *step, char *out,
			 size_t size);

#endif
