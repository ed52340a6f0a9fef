/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_USER_H
#define COMMON_STEP_USER_H

/*
 * DOC: The user of a command
 *
 * `user:` of a step, User of an image and --user give it by name or by number. Names are looked
 * up in texts in the format of passwd(5) and group(5): those of the image, which runbook-image
 * stores in its record, or those of image "host", which are the same on all hosts.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_USER_MAX 256 /* bytes of "name:group" */

/** step_user_host_passwd, step_user_host_group - /etc/passwd and /etc/group of image "host" */
extern const char step_user_host_passwd[], step_user_host_group[];

/** step_user_valid() - has @user the form "name", "name:group", "uid" or "uid:gid"? */
bool step_user_valid(const char *user);
/** step_user_is_number() - does @user begin with a uid, not with a name? */
bool step_user_is_number(const char *user);

/**
 * step_user_resolve() - turn @user into ids; "" is root
 * @passwd, @group: NULL if the image has none, or they are unknown
 *
 * A uid needs no line in @passwd; its group is that of its line, or 0 without one.
 * Return: 0; -EINVAL with @error.
 */
int step_user_resolve(const char *user, const char *passwd, const char *group, uint32_t *ret_uid,
		      uint32_t *ret_gid, struct error *error);

/**
 * step_user_compact() - reduce a passwd(5) or group(5) to the parts for step_user_resolve()
 * @text: of an image: any bytes without NUL; may be NULL
 * @n_ids: ids to keep of each line: 2 of a passwd(5), 1 of a group(5)
 * @max: bytes; lines that do not fit are omitted
 *
 * Return: malloc'ed text of lines "name::uid:gid"; NULL if out of memory or @text is NULL.
 */
char *step_user_compact(const char *text, unsigned n_ids, size_t max);

#endif
