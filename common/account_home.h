/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ACCOUNT_HOME_H
#define COMMON_ACCOUNT_HOME_H

/*
 * DOC: The command's entry in the image's passwd(5) and group(5)
 *
 * Programs find their home directory in $HOME, or by looking up their user (ssh, Java, Node).
 * Both must agree, in every image, also for a uid that the image does not list. The texts come
 * from the image and may be any bytes. These functions run inside the sandbox, in the command's
 * own process, and need no C library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_TEXT_MAX (64UL * 1024) /* larger files are left as they are */
#define ACCOUNT_HOME_MAX 1024	       /* bytes of a home directory */
/* growth of the text: a line of a new user with its home */
#define ACCOUNT_GROWTH_MAX (ACCOUNT_HOME_MAX + 128UL)

/** account_home_valid() - may @home be in a passwd(5): absolute, without ":" and control bytes? */
bool account_home_valid(const char *home);

/**
 * account_home_passwd() - write the text with @home in the first entry of @uid
 * @text: @size bytes of a passwd(5), at most ACCOUNT_TEXT_MAX
 * @out:  room for @size + ACCOUNT_GROWTH_MAX bytes
 * @ret_added: set if there was no entry, and one was added at the end
 *
 * Return: bytes in @out; 0 if @text needs no change, or @home is not valid.
 */
size_t account_home_passwd(const char *text, size_t size, uint32_t uid, uint32_t gid,
			   const char *home, char *out, bool *ret_added);

/** account_home_group() - the same for a group(5): write the text with an entry of @gid */
size_t account_home_group(const char *text, size_t size, uint32_t gid, char *out);

#endif
