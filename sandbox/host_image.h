/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_IMAGE_H
#define SANDBOX_HOST_IMAGE_H

/*
 * DOC: Image "host"
 *
 * A step without an image of its own sees the host's programs: a root file system of a few
 * directories and a curated copy of /etc, into which the plan binds the host's /usr and its
 * like read-only. This module makes that template once, and shares it between all steps and
 * programs that find it under the same name.
 */

#include "common/error.h"
#include "sandbox/plan.h"

#include <limits.h>

/**
 * struct host_image - the template behind image "host"
 *
 * A directory that is kept between starts under a name that changes with the host's files, so a
 * one-shot runbook-sandbox usually copies nothing.
 */
struct host_image {
	char directory[PATH_MAX]; /* images/ */
	char path[PATH_MAX];	  /* the template */
	int lock_fd;		  /* shared lock on it, which protects it from removal */
};

/**
 * host_image_open() - find or make the template in @directory
 * @owner: user that its files belong to; 0 unless the file system cannot map ids
 *
 * Return: 0 or -errno with @error.
 */
int host_image_open(struct host_image *image, const char *directory, uid_t owner,
		    struct error *error);
/** host_image_close() - release the lock; the template stays for the next program */
void host_image_close(struct host_image *image);

/** host_view_probe() - find the host's directories that the image shows, and the paths to mask */
void host_view_probe(struct plan_view *view);

#endif
