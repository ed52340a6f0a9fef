/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/images.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "scheduler/engine/admission.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/image_wait.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table of images ---- */

void image_table_clear(struct image_table *table)
{
	for (size_t i = 0; i < table->n_images; i++)
		free(table->images[i].data);
	for (size_t i = 0; i < table->n_names; i++)
		free(table->names[i].projects);
	free(table->images);
	free(table->names);
	*table = (struct image_table){.n_images = 0};
}

void images_clear(struct images *images)
{
	image_table_clear(&images->table);
	image_table_clear(&images->staged);
	images->known = images->staging = false;
}

static const struct image_record *find_id(const struct images *images, const char *id)
{
	for (size_t i = 0; i < images->table.n_images; i++) {
		if (strcmp(images->table.images[i].record.id, id) == 0)
			return &images->table.images[i].record;
	}
	return NULL;
}

/* Whether @word is one of the words of @list, which are separated by blanks. */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == length && memcmp(list, word, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

/* Whether runs of @project, or with @fork those of forks, may use @name. */
static bool name_serves(const struct image_name *name, const char *project, bool fork)
{
	if (fork)
		return name->forks;
	return name->everyone || list_has(name->projects, project);
}

static const char *find_exact(const struct images *images, const char *name, const char *project,
			      bool fork)
{
	for (size_t i = 0; i < images->table.n_names; i++) {
		if (strcmp(images->table.names[i].name, name) == 0 &&
		    name_serves(&images->table.names[i], project, fork))
			return images->table.names[i].id;
	}
	return NULL;
}

/* The id of @name as written, or with the default tag where it has none. */
static const char *find_name(const struct images *images, const char *name, const char *project,
			     bool fork)
{
	char complete[IMAGE_NAME_MAX + 16];
	const char *id;

	name = image_name_strip(name);
	id = find_exact(images, name, project, fork);
	if (id)
		return id;
	image_name_default(name, complete, sizeof(complete));
	return find_exact(images, complete, project, fork);
}

static const char *find_for(const struct run *run, const char *name)
{
	return find_name(&run->scheduler->images, name, run->project->name, run_of_fork(run));
}

/* ---- images of steps ---- */

static const char *step_image(const struct step *step)
{
	return step->run->runbook->steps[step->index].image;
}

static bool is_host(const struct step *step)
{
	return strcmp(step_image(step), "host") == 0;
}

int images_run_fix(struct run *run, const char *name, const char *id)
{
	struct run_image *fixed = calloc(1, sizeof(*fixed));

	if (!fixed)
		return -ENOMEM;
	fixed->name = strdup(name);
	if (!fixed->name) {
		free(fixed);
		return -ENOMEM;
	}
	(void)snprintf(fixed->id, sizeof(fixed->id), "%s", id);
	fixed->next = run->images;
	run->images = fixed;
	return 0;
}

void images_run_clear(struct run *run)
{
	while (run->images) {
		struct run_image *fixed = run->images;

		run->images = fixed->next;
		free(fixed->name);
		free(fixed);
	}
}

static const char *find_fixed(const struct run *run, const char *name)
{
	for (const struct run_image *fixed = run->images; fixed; fixed = fixed->next) {
		if (strcmp(fixed->name, name) == 0)
			return fixed->id;
	}
	return NULL;
}

int images_of(struct step *step, const struct image_record **ret_image, struct error *error)
{
	struct run *run = step->run;
	struct images *images = &run->scheduler->images;
	const char *name = step_image(step);
	const char *fixed, *id;

	*ret_image = NULL;
	if (is_host(step))
		return 0;
	if (!images->known)
		return -EAGAIN;
	fixed = find_fixed(run, name);
	id = fixed ? fixed : find_for(run, name);
	*ret_image = id ? find_id(images, id) : NULL;
	if (!*ret_image && fixed)
		return error_set(
			error, ENOENT,
			"image \"%.200s\" as this run has used it (%.12s) has been removed: "
			"start a new run",
			name, fixed);
	if (!*ret_image)
		return error_set(error, ENOENT,
				 "image \"%.200s\" is not here: \"runbookctl image pull\" or "
				 "\"image import\" brings it",
				 name);
	if (!fixed) {
		if (images_run_fix(run, name, (*ret_image)->id) < 0)
			return error_set(error, ENOMEM, "out of memory");
		store_run_image_add(run->scheduler->store, run->row.id, name, (*ret_image)->id);
	}
	return 0;
}

/* ---- waiting steps ---- */

bool images_ready(struct step *step)
{
	struct scheduler *scheduler = step->run->scheduler;
	struct images *images = &scheduler->images;
	const char *name = step_image(step);
	struct image_wait *wait;

	if (is_host(step))
		return true;
	if (images->known && (find_fixed(step->run, name) || find_for(step->run, name)))
		return true; /* a missing fixed image fails with its reason at the start */
	wait = image_wait_find(images, step->run, name);
	if (!wait) {
		wait = image_wait_new(step->run, name);
		if (!wait) {
			scheduler_give_up(scheduler, NULL);
			return false;
		}
		images_want(wait);
	}
	image_wait_add(wait, step);
	return false;
}

void images_reason(const struct step *step, char *out, size_t size)
{
	out[0] = '\0';
	if (!step->image_wait || images_retry_reason(step->image_wait, step, out, size))
		return;
	if (step->run->scheduler->images.known)
		(void)snprintf(out, size, "pulling image \"%.200s\"",
			       image_name_strip(step_image(step)));
	else
		(void)snprintf(out, size,
			       "waiting for runbook-image to report which images are here");
}

/* ---- a new table ---- */

void images_reask(struct scheduler *scheduler)
{
	scheduler->images.staging = false;
	image_table_clear(&scheduler->images.staged);
	/* images are requested again when the new table arrives */
}

/* Release the steps whose image is in the table; request the image for the others once more. */
static void wait_wake(struct scheduler *scheduler, struct image_wait *wait)
{
	bool named = find_name(&scheduler->images, wait->name, wait->project, wait->fork) != NULL;
	bool remains = false;
	struct step *step, *next;

	list_each_safe (step, next, &wait->steps, image_node) {
		if (named || find_fixed(step->run, wait->name)) {
			images_stop(step); /* frees @wait with its last step */
			step_enqueue(step);
		} else {
			remains = true;
		}
	}
	if (remains && !wait->timer.loop)
		images_want(wait);
}

void images_wake(struct scheduler *scheduler)
{
	struct images *images = &scheduler->images;
	struct image_wait *wait, *next;

	/* orders of steps that an earlier life claimed can be made now */
	while (!list_empty(&images->claimed.steps)) {
		struct step *step =
			list_entry(images->claimed.steps.first, struct step, image_node);

		images_stop(step);
		step->to_order = true;
		step_changed(step);
	}
	list_each_safe (wait, next, &images->waits, node)
		wait_wake(scheduler, wait);
	turn_schedule(scheduler);
}
