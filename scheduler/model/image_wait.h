/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGE_WAIT_H
#define SCHEDULER_IMAGE_WAIT_H

/*
 * DOC: Lists of steps that wait for an image
 *
 * A step whose image is not available is parked in the list (struct image_wait) of that image
 * and its project. A claimed step whose order cannot be made before runbook-image is back is
 * parked in images->claimed. This file only keeps the lists; images.h decides which steps enter and
 * leaves them.
 */

#include "scheduler/model/scheduler.h"

/**
 * image_wait_find() - the list of steps that wait for image @name in the project of @run
 *
 * Return: NULL when there is none.
 */
struct image_wait *image_wait_find(const struct images *images, const struct run *run,
				   const char *name);
/**
 * image_wait_new() - make that list; images_stop() frees it with its last step. Return: NULL
 * without memory.
 */
struct image_wait *image_wait_new(const struct run *run, const char *name);
/** image_wait_add() - append @step, which is in no such list, to @wait */
void image_wait_add(struct image_wait *wait, struct step *step);
/** images_park() - park a claimed step whose image is not known yet; its order is sent later */
void images_park(struct step *step);
/** images_stop() - take @step off its list; no-op when it is in none */
void images_stop(struct step *step);
/**
 * images_waiting_each() - visit the ready steps that wait for their images; they are in no queue
 * @max: number of calls after which only counting goes on
 *
 * Return: how many such steps there are in all.
 */
uint64_t images_waiting_each(const struct images *images, uint64_t max,
			     void (*each)(const struct step *step, void *userdata), void *userdata);

#endif
