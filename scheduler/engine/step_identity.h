/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_IDENTITY_H
#define SCHEDULER_STEP_IDENTITY_H

/* Where a step works, and as whom. */

#include "scheduler/model/scheduler.h"

#include <limits.h>

/** struct step_identity - where a step works, and as whom */
struct step_identity {
	char workdir[PATH_MAX]; /* absolute; "": the workspace */
	uint32_t uid, gid;
};

/**
 * step_identity_find() - by what the step says, else by its image
 * @image: NULL for "host"
 *
 * Return: 0, or -errno with @error: the image does not know the user.
 */
int step_identity_find(const struct step *step, const struct image_record *image,
		       struct step_identity *ret_place, struct error *error);
/**
 * step_workdir() - `workdir:` as an absolute path without ".", ".." and empty parts
 *
 * What is relative begins in the workspace. Return: 0 or -ENAMETOOLONG.
 */
int step_workdir(const char *workdir, char *out, size_t size);
/** step_user_name() - for $USER: NULL when only a number is known. @out: room for a name. */
const char *step_user_name(const struct step *step, const struct image_record *image, char *out,
			   size_t size);

#endif
