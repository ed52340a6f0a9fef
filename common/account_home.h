/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ACCOUNT_HOME_H
#define COMMON_ACCOUNT_HOME_H

/*
 * DOC: Who a command is, in the image's own passwd(5) and group(5)
 *
 * Programs that ask for a home directory look at $HOME, or they look up their
 * user (ssh, Java, Node). Both have to say the same, in every image, also for a
 * number that the image does not know. The texts are any bytes of the image;
 * this is called inside the sandbox, by the command's own process, and needs no
 * C library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_TEXT_MAX (64UL * 1024) /* larger files are left as they are */
#define ACCOUNT_HOME_MAX 1024	       /* bytes of a home directory */
/* what the text may grow by: a line of a new user with its home */
#define ACCOUNT_GROWTH_MAX (ACCOUNT_HOME_MAX + 128UL)

/** account_home_valid() - can @home stand in a passwd(5)? Absolute, without ":" and control bytes. */
bool account_home_valid(const char *home);

/**
 * account_home_passwd() - the text in which the first entry of @uid has @home
 * @text: @size bytes of a passwd(5), at most ACCOUNT_TEXT_MAX
 * @out:  room for @size + ACCOUNT_GROWTH_MAX bytes
 * @ret_added: set when there was no entry, and one was added at the end
 *
 * Return: bytes in @out; 0: @text says that already, or @home is not valid.
 */
size_t account_home_passwd(const char *text, size_t size, uint32_t uid, uint32_t gid,
			   const char *home, char *out, bool *ret_added);

/** account_home_group() - the same for a group(5): the text in which @gid has an entry */
size_t account_home_group(const char *text, size_t size, uint32_t gid, char *out);

#endif
