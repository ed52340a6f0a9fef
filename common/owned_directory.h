/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_OWNED_DIRECTORY_H
#define COMMON_OWNED_DIRECTORY_H

#include "common/error.h"

#include <sys/types.h>

/**
 * owned_directory_make() - have a directory of @uid and @gid with @mode at @path
 *
 * What is missing of @path is made, its parents with mode 0755. A directory that still belongs to
 * root gets its owner; one of another user, one that everybody can write, and a link are refused.
 * A caller that is not root (tests) demands its own user instead of @uid.
 *
 * Return: 0, or -errno with a sentence that says what helps.
 */
int owned_directory_make(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *error);

#endif
