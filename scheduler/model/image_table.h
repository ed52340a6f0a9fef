/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGE_TABLE_H
#define SCHEDULER_IMAGE_TABLE_H

/* What the scheduler knows of images, and which steps wait for one; see images.h. */

#include "common/image.h"
#include "common/limits.h"
#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;

/** struct image - one that is here */
struct image {
	char *data; /* what the record points into */
	struct image_record record;
};

/** struct image_name - and whose runs may use what it stands for */
struct image_name {
	char name[IMAGE_NAME_MAX + 1];
	char id[IMAGE_ID_SIZE];
	bool forks, everyone;
	char *projects; /* separated by blanks */
};

struct image_table {
	struct image *images;
	size_t n_images;
	struct image_name *names;
	size_t n_names;
};

/**
 * struct image_wait - steps of a project that stand aside for one image, asked for once. Those of
 * forks wait apart: what is pulled for them, and how, is another matter.
 */
struct image_wait {
	struct list_node node; /* of images->waits */
	char *name;	       /* as the steps say it */
	char project[PROJECT_NAME_MAX + 1];
	bool fork;
	struct list steps;
	/* after it could not be had, see images_retry.c */
	struct scheduler *scheduler;
	struct loop_timer timer; /* armed until it is asked for again */
	uint64_t tries, first_usec, next_usec;
	char error[REASON_MAX + 1];
};

/** struct images - of the scheduler */
struct images {
	struct image_table table, staged;
	bool staging, known;	   /* a whole table is here */
	struct list waits;	   /* image_wait, the oldest first */
	struct image_wait claimed; /* steps of an earlier life, whatever their images */
};

/** struct run_image - what a name means for one run */
struct run_image {
	struct run_image *next;
	char *name;
	char id[IMAGE_ID_SIZE];
};

#endif
