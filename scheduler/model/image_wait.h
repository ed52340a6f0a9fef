/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGE_WAIT_H
#define SCHEDULER_IMAGE_WAIT_H

/* Which steps are parked until their image is here: the lists, and nothing of what follows. */

#include "scheduler/model/scheduler.h"

/**
 * image_wait_find() - the list of those that wait for image @name, for the project of @run
 *
 * Return: NULL when there is none.
 */
struct image_wait *image_wait_find(const struct images *images, const struct run *run,
				   const char *name);
/** image_wait_new() - make that list; it goes with its last step. Return: NULL without memory. */
struct image_wait *image_wait_new(const struct run *run, const char *name);
/** image_wait_add() - append @step, which is in no such list yet, to the one of @wait */
void image_wait_add(struct image_wait *wait, struct step *step);
/** images_park() - a claimed step whose image is not known yet: its order waits */
void images_park(struct step *step);
/** images_stop() - take @step off its list; no-op when it is in none */
void images_stop(struct step *step);
/**
 * images_waiting_each() - ready steps that wait for their images, which are in no queue
 * @max: stop after so many calls
 *
 * Return: how many there are in all.
 */
uint64_t images_waiting_each(const struct images *images, uint64_t max,
			     void (*each)(const struct step *step, void *userdata), void *userdata);

#endif
