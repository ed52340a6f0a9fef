/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/image_wait.h"

#include "scheduler/model/run_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct image_wait *image_wait_find(const struct images *images, const struct run *run,
				   const char *name)
{
	struct image_wait *wait;

	list_each (wait, &images->waits, node) {
		if (strcmp(wait->name, name) == 0 && wait->fork == run_of_fork(run) &&
		    strcmp(wait->project, run->project->name) == 0)
			break;
	}
	return wait;
}

struct image_wait *image_wait_new(const struct run *run, const char *name)
{
	struct scheduler *scheduler = run->scheduler;
	struct image_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	wait->scheduler = scheduler;
	wait->timer = LOOP_TIMER_NULL;
	wait->name = strdup(name);
	if (!wait->name) {
		free(wait);
		return NULL;
	}
	(void)snprintf(wait->project, sizeof(wait->project), "%s", run->project->name);
	wait->fork = run_of_fork(run);
	list_append(&scheduler->images.waits, &wait->node);
	return wait;
}

static void wait_free(struct image_wait *wait)
{
	list_remove(&wait->node);
	loop_timer_cancel(&wait->timer);
	free(wait->name);
	free(wait);
}

void image_wait_add(struct image_wait *wait, struct step *step)
{
	step->image_wait = wait;
	step->image_since_usec = now_usec();
	list_append(&wait->steps, &step->image_node);
}

void images_park(struct step *step)
{
	if (!step->image_wait)
		image_wait_add(&step->run->scheduler->images.claimed, step);
}

void images_stop(struct step *step)
{
	struct image_wait *wait = step->image_wait;

	if (!wait)
		return;
	step->image_wait = NULL;
	list_remove(&step->image_node);
	if (list_empty(&wait->steps) && wait != &step->run->scheduler->images.claimed)
		wait_free(wait);
}

uint64_t images_waiting_each(const struct images *images, uint64_t max,
			     void (*each)(const struct step *step, void *userdata), void *userdata)
{
	const struct image_wait *wait;
	const struct step *step;
	uint64_t n = 0;

	list_each (wait, &images->waits, node) {
		list_each (step, &wait->steps, image_node) {
			if (n++ < max)
				each(step, userdata);
		}
	}
	return n;
}
