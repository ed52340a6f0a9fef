/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image that cannot be had now is requested again, as the tree of a run is (source_retry.h): a
 * registry that is away for seconds ends no step. The time for tries is the one of the step's
 * project; it begins with the first failure, and anew with a restart.
 */

#include "common/cleanup.h"
#include "common/log.h"
#include "common/messages/images.h"
#include "common/names.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void images_want(struct image_wait *wait)
{
	struct scheduler *scheduler = wait->scheduler;

	if (!scheduler->image.channel.open || !scheduler->images.known)
		return; /* requested when it is back */
	outbox_put(&scheduler->image, MESSAGE_NEW(image_wanted, 0, .name = wait->name,
						  .project = wait->project, .fork = wait->fork));
}

static void wait_again(struct loop_timer *timer)
{
	struct image_wait *wait = container_of(timer, struct image_wait, timer);

	images_want(wait);
	turn_schedule(wait->scheduler);
}

/* How long @step still waits for an image that cannot be had, in microseconds. */
static uint64_t step_time_left(const struct image_wait *wait, const struct step *step, uint64_t now)
{
	uint64_t whole = step->run->project->fetch_retry_sec * USEC_PER_SEC;
	uint64_t since = step->image_since_usec > wait->first_usec ? step->image_since_usec
								   : wait->first_usec;

	return now - since < whole ? whole - (now - since) : 0;
}

static bool same_name(const char *asked, const char *name)
{
	char complete[IMAGE_NAME_MAX + 16];

	asked = image_name_strip(asked);
	image_name_default(asked, complete, sizeof(complete));
	return strcmp(asked, name) == 0 || strcmp(complete, name) == 0;
}

/* The next wait after @wait (NULL: the first) that @missing concerns. */
static struct image_wait *wait_meant(const struct images *images, struct image_wait *wait,
				     const struct message_image_missing *missing)
{
	const struct list_node *node = wait ? wait->node.next : images->waits.first;

	for (; node; node = node->next) {
		wait = list_entry(node, struct image_wait, node);
		if (wait->fork == missing->fork && strcmp(wait->project, missing->project) == 0 &&
		    same_name(wait->name, missing->name))
			return wait;
	}
	return NULL;
}

/* A step whose time is over. Return: NULL when there is none. */
static struct step *step_over(const struct images *images,
			      const struct message_image_missing *missing)
{
	struct image_wait *wait = NULL;
	uint64_t now = now_usec();
	struct step *step;

	while ((wait = wait_meant(images, wait, missing))) {
		list_each (step, &wait->steps, image_node) {
			if (!missing->again || step_time_left(wait, step, now) == 0)
				return step;
		}
	}
	return NULL;
}

static void step_give_up(struct step *step, const char *error)
{
	const struct image_wait *wait = step->image_wait;
	char reason[REASON_MAX + 1];

	if (wait->tries > 1)
		(void)snprintf(reason, sizeof(reason), "%.440s (tried %" PRIu64 " times)", error,
			       wait->tries);
	else
		(void)snprintf(reason, sizeof(reason), "%.*s", REASON_MAX - 1, error);
	state_step_set(step, STEP_STATE_ERRORED, reason);
}

/* Plan the next try: after a pause, but no later than the end of the first step's time. */
static void wait_arm(struct image_wait *wait)
{
	uint64_t now = now_usec(), delay = retry_delay_usec(wait->tries);
	const struct step *step;

	list_each (step, &wait->steps, image_node) {
		uint64_t left = step_time_left(wait, step, now);

		if (left < delay)
			delay = left;
	}
	wait->next_usec = now + delay;
	if (loop_timer_set(wait->scheduler->loop, &wait->timer, wait->next_usec, wait_again) < 0) {
		scheduler_give_up(wait->scheduler, NULL);
		return;
	}
	log_notice("image %s cannot be had yet: %s", wait->name, wait->error);
}

void images_missing(struct scheduler *scheduler, const struct message_image_missing *missing,
		    void (*ended)(struct scheduler *scheduler))
{
	struct images *images = &scheduler->images;
	struct image_wait *wait = NULL;
	struct step *step;

	while ((wait = wait_meant(images, wait, missing))) {
		if (wait->tries++ == 0)
			wait->first_usec = now_usec();
		(void)snprintf(wait->error, sizeof(wait->error), "%.400s", missing->error);
	}
	/* search again after each: the end of one step may end others */
	while ((step = step_over(images, missing))) {
		step_give_up(step, missing->error);
		ended(scheduler);
	}
	while ((wait = wait_meant(images, wait, missing)))
		wait_arm(wait);
	turn_schedule(scheduler);
}

bool images_retry_reason(const struct image_wait *wait, const struct step *step, char *out,
			 size_t size)
{
	uint64_t now = now_usec();
	char again[48] = "now", left[32], text[32];

	if (wait->tries == 0)
		return false;
	if (wait->timer.loop) {
		retry_seconds_text(text, sizeof(text),
				   wait->next_usec > now ? wait->next_usec - now : 0);
		(void)snprintf(again, sizeof(again), "in %s", text);
	}
	retry_seconds_text(left, sizeof(left), step_time_left(wait, step, now));
	(void)snprintf(out, size,
		       "image \"%.100s\" cannot be pulled yet (tried %" PRIu64
		       "x, again %s, for %s more): %.250s",
		       image_name_strip(wait->name), wait->tries, again, left, wait->error);
	return true;
}
