/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_IMAGE_TABLE_H
#define SCHEDULER_IMAGE_TABLE_H

/* Data of images.h: the images that runbook-image has reported, and the steps that wait for one. */

#include "common/image.h"
#include "common/limits.h"
#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;

/** struct image - an unpacked image that a step can start from */
struct image {
	char *data; /* the buffer that @record points into */
	struct image_record record;
};

/** struct image_name - what a name stands for, and the runs that may use it */
struct image_name {
	char name[IMAGE_NAME_MAX + 1];
	char id[IMAGE_ID_SIZE];
	bool forks, everyone;
	char *projects; /* names of projects, separated by blanks */
};

struct image_table {
	struct image *images;
	size_t n_images;
	struct image_name *names;
	size_t n_names;
};

/**
 * struct image_wait - the steps of one project that wait for one image, which is requested once.
 * Steps of forks have a wait of their own: their image is pulled with other credentials.
 */
struct image_wait {
	struct list_node node; /* of images->waits */
	char *name;	       /* as the steps spell it */
	char project[PROJECT_NAME_MAX + 1];
	bool fork;
	struct list steps;
	/* after the image could not be had, see images_retry.c */
	struct scheduler *scheduler;
	struct loop_timer timer; /* armed until the next request */
	uint64_t tries, first_usec, next_usec;
	char error[REASON_MAX + 1];
};

/** struct images - part of struct scheduler */
struct images {
	struct image_table table, staged;
	bool staging, known;	   /* .known: a complete table has arrived */
	struct list waits;	   /* struct image_wait, oldest first */
	struct image_wait claimed; /* running steps of an earlier life, whatever their images */
};

/** struct run_image - what an image name stands for in one run */
struct run_image {
	struct run_image *next;
	char *name;
	char id[IMAGE_ID_SIZE];
};

#endif
