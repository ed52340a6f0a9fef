/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_IMAGE_H
#define SANDBOX_HOST_IMAGE_H

#include "common/error.h"
#include "sandbox/plan.h"

#include <limits.h>

/**
 * struct host_image - the template behind image "host"
 *
 * A directory with the skeleton of a root file system and a curated copy of
 * /etc. It is kept between starts under a name that changes with the host's
 * files, so a one-shot runbook-sandbox does not copy anything.
 */
struct host_image {
	char directory[PATH_MAX]; /* images/ */
	char path[PATH_MAX];	  /* the template */
	int lock_fd;		  /* shared lock on it: nobody removes it under us */
};

/**
 * host_image_open() - find or make the template beneath @directory
 * @owner: its files belong to this user; 0 unless the file system cannot shift ids
 */
int host_image_open(struct host_image *image, const char *directory, uid_t owner,
		    struct error *error);
void host_image_close(struct host_image *image);

/** host_view_look() - which directories of the host the image shows, what there is to mask */
void host_view_look(struct plan_view *view);

#endif
