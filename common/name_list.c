/* SPDX-License-Identifier: Apache-2.0 */
#include "common/name_list.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int name_list_split(char *text, size_t size, size_t n_max, struct name_list *list)
{
	cleanup_free char *owned = text;
	size_t n = 0;

	*list = (struct name_list){0};
	if (size && text[size - 1])
		return -EBADMSG;
	for (size_t at = 0; at < size; n++) {
		size_t length = strlen(text + at);

		if (length == 0 || length >= PATH_MAX)
			return -EBADMSG;
		at += length + 1;
	}
	if (n > n_max)
		return -E2BIG;
	list->items = calloc(n + 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	for (size_t at = 0, i = 0; i < n; i++) {
		list->items[i] = text + at;
		at += strlen(text + at) + 1;
	}
	list->text = TAKE_PTR(owned);
	list->size = size;
	list->n_items = n;
	return 0;
}

int name_list_read(int fd, size_t size_max, size_t n_max, struct name_list *list)
{
	cleanup_free char *text = NULL;
	struct stat status;
	size_t size, n = 0;

	*list = (struct name_list){0};
	/* only a memfd: other files could block, or belong to another process */
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || fcntl(fd, F_GET_SEALS) < 0)
		return -EBADMSG;
	if (status.st_size < 0 || (unsigned long long)status.st_size > size_max)
		return -EFBIG;
	size = (size_t)status.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	/* pread(2), because all processes with this open file share its offset */
	while (n < size) {
		ssize_t r = pread(fd, text + n, size - n, (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EBADMSG;
		n += (size_t)r;
	}
	return name_list_split(TAKE_PTR(text), size, n_max, list);
}

void name_list_clear(struct name_list *list)
{
	free(list->text);
	free(list->items);
	*list = (struct name_list){0};
}
