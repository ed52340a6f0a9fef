/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_OWNED_DIRECTORY_H
#define COMMON_OWNED_DIRECTORY_H

/*
 * DOC: Directories with a given owner
 *
 * State directories of our unprivileged programs are made by root before the lock-down. An
 * existing directory is only used if no other user can have prepared it.
 */

#include "common/error.h"

#include <sys/types.h>

/**
 * owned_directory_make() - make the directory @path of @uid and @gid with @mode
 *
 * Missing parents are made with mode 0755. An existing directory of root gets the owner; a
 * directory of another user, one that all users can write, and a symlink are errors. If the
 * caller is not root (tests), its own user is required in place of @uid.
 *
 * Return: 0; -errno with @error naming the fix.
 */
int owned_directory_make(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *error);

#endif
