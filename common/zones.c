/* SPDX-License-Identifier: Apache-2.0 */
#include "common/zones.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/"
/* the database as text, about 100 KB, with a line for each zone and link */
#define ZONE_LIST ZONE_DIRECTORY "/tzdata.zi"
#define ZONE_LIST_MAX (4UL * 1024 * 1024)

bool zone_known(const char *name)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX], magic[4];
	struct stat status;

	if (!*name || strcmp(name, "UTC") == 0)
		return true;
	/* the name comes from a runbook: it must not leave the directory */
	if (*name == '/' || name[strspn(name, LETTERS)] ||
	    snprintf(path, sizeof(path), ZONE_DIRECTORY "/%s", name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       fd_read_all(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, "TZif", sizeof(magic)) == 0;
}

bool zones_present(void)
{
	return zone_known("Etc/UTC");
}

/* The name that a line of the list defines, and its length; NULL: none. */
static const char *line_name(const char *line, size_t length, size_t *ret_length)
{
	const char *end = line + length, *name = line + 2;

	if (length < 3 || (line[0] != 'Z' && line[0] != 'L') || line[1] != ' ')
		return NULL;
	if (line[0] == 'L') { /* "L TARGET NAME" */
		name = memchr(name, ' ', (size_t)(end - name));
		if (!name)
			return NULL;
		name++;
	}
	for (*ret_length = 0; name + *ret_length < end && name[*ret_length] != ' ';)
		(*ret_length)++;
	return *ret_length ? name : NULL;
}

char *zone_names(void)
{
	cleanup_close int fd = open(ZONE_LIST, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	size_t size = 0, used = 0;

	if (fd < 0 || fd_read_file(fd, ZONE_LIST_MAX, &text, &size) < 0)
		return strdup("");
	/* names are shorter than their lines, so they can be collected in the same buffer */
	for (size_t at = 0; at < size;) {
		char *newline = memchr(text + at, '\n', size - at);
		size_t end = newline ? (size_t)(newline - text) : size, length;
		const char *name = line_name(text + at, end - at, &length);

		if (name) {
			memmove(text + used, name, length);
			used += length;
			text[used++] = '\n';
		}
		at = end + 1;
	}
	text[used] = '\0';
	return TAKE_PTR(text);
}
