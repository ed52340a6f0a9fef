/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of runbook-image: the table of images, in pieces, and images that cannot be had. */

#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/images.h"
#include "common/names.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/progress.h"
#include "scheduler/peers/requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scheduler *scheduler_of(const struct channel *channel)
{
	return ((struct peer *)channel->userdata)->scheduler;
}

static int on_begin(struct channel *channel, struct message *message)
{
	struct images *images = &scheduler_of(channel)->images;
	struct message_images_begin begin;
	int r = MESSAGE_GET(message, images_begin, &begin);

	if (r < 0)
		return r;
	image_table_clear(&images->staged);
	images->staging = true;
	return 0;
}

static int on_known(struct channel *channel, struct message *message)
{
	struct images *images = &scheduler_of(channel)->images;
	struct image_table *table = &images->staged;
	struct message_image_known known;
	struct image *grown, *image;
	int r = MESSAGE_GET(message, image_known, &known);

	if (r < 0)
		return r;
	if (!images->staging || table->n_images == IMAGES_MAX)
		return -EBADMSG;
	grown = reallocarray(table->images, table->n_images + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->images = grown;
	image = &grown[table->n_images];
	image->data = malloc(known.record.size + 1);
	if (!image->data)
		return -ENOMEM;
	memcpy(image->data, known.record.data, known.record.size);
	if (image_record_parse(image->data, known.record.size, &image->record) < 0) {
		free(image->data);
		return -EBADMSG;
	}
	table->n_images++;
	return 0;
}

static int on_named(struct channel *channel, struct message *message)
{
	struct images *images = &scheduler_of(channel)->images;
	struct image_table *table = &images->staged;
	struct message_image_named named;
	struct image_name *grown;
	int r = MESSAGE_GET(message, image_named, &named);

	if (r < 0)
		return r;
	if (!images->staging || table->n_names == IMAGES_MAX || !image_name_valid(named.name) ||
	    !image_id_valid(named.id))
		return -EBADMSG;
	grown = reallocarray(table->names, table->n_names + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->names = grown;
	(void)snprintf(grown[table->n_names].name, sizeof(grown->name), "%s", named.name);
	memcpy(grown[table->n_names].id, named.id, IMAGE_ID_SIZE);
	grown[table->n_names].forks = named.forks;
	grown[table->n_names].everyone = named.everyone;
	grown[table->n_names].projects = strdup(named.projects);
	if (!grown[table->n_names].projects)
		return -ENOMEM;
	table->n_names++;
	return 0;
}

static int on_end(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = scheduler_of(channel);
	struct images *images = &scheduler->images;
	struct message_images_end end;
	int r = MESSAGE_GET(message, images_end, &end);

	if (r < 0)
		return r;
	if (!images->staging)
		return -EBADMSG;
	image_table_clear(&images->table);
	images->table = images->staged;
	images->staged = (struct image_table){.n_images = 0};
	images->staging = false;
	images->known = true;
	images_wake(scheduler);
	return 0;
}

static int on_missing(struct channel *channel, struct message *message)
{
	struct message_image_missing missing;
	int r = MESSAGE_GET(message, image_missing, &missing);

	if (r < 0)
		return r;
	images_missing(scheduler_of(channel), &missing, progress);
	return 0;
}

const struct message_handler images_handlers[] = {
	{MESSAGE_IMAGES_BEGIN, on_begin},    {MESSAGE_IMAGE_KNOWN, on_known},
	{MESSAGE_IMAGE_NAMED, on_named},     {MESSAGE_IMAGES_END, on_end},
	{MESSAGE_IMAGE_MISSING, on_missing},
};
const size_t n_images_handlers = ARRAY_SIZE(images_handlers);
