/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NAME_LIST_H
#define COMMON_NAME_LIST_H

/*
 * DOC: Lists of names between processes
 *
 * Names of any bytes except NUL (paths of a repository, branches) are passed in a memfd,
 * NUL-terminated, one after the other. The reader copies them before it checks them, because a
 * compromised writer can change the shared memory at any time.
 */

#include <stddef.h>

/** struct name_list - @items point into @text; zeroed memory is an empty list */
struct name_list {
	char *text;
	size_t size; /* bytes of @text */
	char **items;
	size_t n_items;
};

/**
 * name_list_split() - make @list from @text
 * @text: malloc'ed; owned by @list, and freed on failure
 *
 * Return: 0, -EBADMSG for a name that is empty, too long or not terminated, -E2BIG for more
 * than @n_max names, -ENOMEM.
 */
int name_list_split(char *text, size_t size, size_t n_max, struct name_list *list);

/**
 * name_list_read() - make @list from a memfd that another process wrote
 * @fd: stays the caller's
 *
 * Return: as above; -EFBIG for more than @size_max bytes, -EBADMSG if @fd is not a memfd.
 */
int name_list_read(int fd, size_t size_max, size_t n_max, struct name_list *list);

/** name_list_clear() - release the memory of @list */
void name_list_clear(struct name_list *list);

#endif
