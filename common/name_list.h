/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NAME_LIST_H
#define COMMON_NAME_LIST_H

/*
 * A list of names of any bytes but NUL (paths of a repository) on its way
 * between our processes: NUL-terminated, one after the other, in a memfd. Who
 * reads it copies it first: the writer may be broken, and the memfd is shared.
 */

#include <stddef.h>

/** struct name_list - @items point into @text; all zeros is an empty list */
struct name_list {
	char *text;
	size_t size; /* bytes of @text */
	char **items;
	size_t n_items;
};

/** name_list_split() - make @list from @text (malloc'ed, taken over also on failure).
 * Return: 0, -EBADMSG for a name that is empty, too long or not terminated, -E2BIG for more
 * than @n_max names, -ENOMEM. */
int name_list_split(char *text, size_t size, size_t n_max, struct name_list *list);

/** name_list_read() - make @list from what another process wrote into @fd, which stays the
 * caller's. Return: as above; -EFBIG for more than @size_max bytes, -EBADMSG for a descriptor
 * that is no file in memory. */
int name_list_read(int fd, size_t size_max, size_t n_max, struct name_list *list);

/** name_list_clear() - release what @list holds */
void name_list_clear(struct name_list *list);

#endif
