/* SPDX-License-Identifier: Apache-2.0 */
/* Working directory and user of a step: from the step itself, its image, or defaults. */
#include "scheduler/engine/step_identity.h"

#include "common/cleanup.h"
#include "common/step_user.h"
#include "scheduler/model/steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORKSPACE "/workspace"

/* Append one part of a path to @out, which never ends in a slash. */
static int append_part(char *out, size_t size, const char *part, size_t length)
{
	size_t used = strlen(out);
	char *slash;

	if (length == 0 || (length == 1 && part[0] == '.'))
		return 0;
	if (length == 2 && part[0] == '.' && part[1] == '.') {
		slash = strrchr(out, '/');
		if (slash)
			*slash = '\0';
		return 0;
	}
	if (used + 1 + length >= size)
		return -ENAMETOOLONG;
	out[used] = '/';
	memcpy(out + used + 1, part, length);
	out[used + 1 + length] = '\0';
	return 0;
}

int step_workdir(const char *workdir, char *out, size_t size)
{
	int r = 0;

	(void)snprintf(out, size, "%s", workdir[0] == '/' ? "" : WORKSPACE);
	while (r == 0 && *workdir) {
		size_t length = strcspn(workdir, "/");

		r = append_part(out, size, workdir, length);
		workdir += length;
		workdir += *workdir == '/';
	}
	if (r == 0 && out[0] == '\0')
		(void)snprintf(out, size, "/");
	return r;
}

int step_identity_find(const struct step *step, const struct image_record *image,
		       struct step_identity *ret_place, struct error *error)
{
	const struct runbook_step *text = step_text(step);
	int r = 0;

	*ret_place = (struct step_identity){.uid = image ? image->uid : 0,
					    .gid = image ? image->gid : 0};
	if (text->workdir)
		r = step_workdir(text->workdir, ret_place->workdir, sizeof(ret_place->workdir));
	else if (image)
		(void)snprintf(ret_place->workdir, sizeof(ret_place->workdir), "%s",
			       image->workdir);
	if (r < 0)
		return error_set(error, ENAMETOOLONG, "workdir is longer than %zu bytes",
				 sizeof(ret_place->workdir) - 1);
	if (!text->user)
		return 0;
	r = step_user_resolve(text->user, image ? image->passwd : step_user_host_passwd,
			      image ? image->group : step_user_host_group, &ret_place->uid,
			      &ret_place->gid, error);
	if (r < 0 && image && !image->passwd)
		return error_set(error, EINVAL,
				 "user \"%.100s\": the user names of image \"%.200s\" are not "
				 "known: pull it again, or give numbers",
				 text->user, text->image);
	return r;
}

const char *step_user_name(const struct step *step, const struct image_record *image, char *out,
			   size_t size)
{
	const char *user = step_text(step)->user;

	if (!user)
		return image && image->uid != 0 ? NULL : "root";
	(void)snprintf(out, size, "%.*s", (int)strcspn(user, ":"), user);
	if (!step_user_is_number(out))
		return out;
	return strspn(out, "0") == strlen(out) ? "root" : NULL;
}
