/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_USER_H
#define COMMON_STEP_USER_H

/*
 * Who a command runs as, by name or by number: `user:` of a step, User of an
 * image, --user. Names are looked up in texts in the format of passwd(5) and
 * group(5): the image's, as runbook-image keeps them in its record, or those of
 * image "host", which are the same everywhere.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_USER_MAX 256 /* bytes of "name:group" */

/** step_user_host_passwd, step_user_host_group - /etc/passwd and /etc/group of image "host" */
extern const char step_user_host_passwd[], step_user_host_group[];

/** step_user_valid() - does @user look like "name", "name:group", "uid" or "uid:gid"? */
bool step_user_valid(const char *user);
/** step_user_is_number() - is it a number, so that no name is known of it? */
bool step_user_is_number(const char *user);

/**
 * step_user_resolve() - @user to numbers; "" is root
 * @passwd, @group: NULL: the image has none, or nobody knows them
 *
 * A number needs no line; its group is the one of its line, or 0.
 * Return: 0, or -EINVAL with @error.
 */
int step_user_resolve(const char *user, const char *passwd, const char *group, uint32_t *ret_uid,
		      uint32_t *ret_gid, struct error *error);

/**
 * step_user_compact() - what step_user_resolve() needs of a passwd(5) or group(5)
 * @text: of an image: any bytes without NUL; NULL is fine
 * @n_ids: numbers of a line that are kept: 2 of a user's, 1 of a group's
 * @max: bytes; lines that do not fit are left out
 *
 * Return: malloc'ed text of lines "name::uid:gid", NULL without memory or without @text.
 */
char *step_user_compact(const char *text, unsigned n_ids, size_t max);

#endif
