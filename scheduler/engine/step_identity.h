/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_IDENTITY_H
#define SCHEDULER_STEP_IDENTITY_H

/*
 * DOC: Directory and user of a step
 *
 * The working directory, user and group of a step come from the step itself, else from its image,
 * else from defaults.
 */

#include "scheduler/model/scheduler.h"

#include <limits.h>

/** struct step_identity - working directory and ids of a step */
struct step_identity {
	char workdir[PATH_MAX]; /* absolute; "": the workspace */
	uint32_t uid, gid;
};

/**
 * step_identity_find() - find both from the step, or else from its image
 * @image: NULL for "host"
 *
 * Return: 0, or -errno with @error: the image has no such user.
 */
int step_identity_find(const struct step *step, const struct image_record *image,
		       struct step_identity *ret_place, struct error *error);
/**
 * step_workdir() - `workdir:` as an absolute path without ".", ".." and empty parts
 *
 * A relative path starts in the workspace. Return: 0 or -ENAMETOOLONG.
 */
int step_workdir(const char *workdir, char *out, size_t size);
/**
 * step_user_name() - value of $USER. @out: buffer for the name. Return: NULL when only a number is
 * known.
 */
const char *step_user_name(const struct step *step, const struct image_record *image, char *out,
			   size_t size);

#endif
