/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listen_persist.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define UNIX_PREFIX FD_STORE_PREFIX "A"

/* LISTEN_FDNAMES separates names by colons, so colons become bars, which no address has. */
static void swap(char *text, char from, char to)
{
	for (char *at = text; (at = strchr(at, from)) != NULL; at++)
		*at = to;
}

/* Return: false for an address that is not kept. */
static bool name_of(enum listen_persist_kind kind, const char *text, char *name)
{
	if (strncmp(text, "unix:", 5) == 0 ||
	    snprintf(name, FD_STORE_NAME_MAX, FD_STORE_PREFIX "%c%s", (int)kind, text) >=
		    FD_STORE_NAME_MAX)
		return false;
	swap(name, ':', '|');
	return true;
}

static bool is_kind(const char *name, enum listen_persist_kind kind)
{
	size_t length = strlen(FD_STORE_PREFIX);

	/* no other name begins with the letter of a kind, and what follows may be a port alone */
	return strncmp(name, FD_STORE_PREFIX, length) == 0 && name[length] == (char)kind;
}

void listen_persist_load(const struct fd_store *store, enum listen_persist_kind kind,
			 struct listener_set *set)
{
	const char *name;

	for (size_t i = 0; (name = fd_store_name(store, i)) != NULL; i++) {
		struct listener *item = &set->items[set->n_items];
		int fd;

		if (!is_kind(name, kind) || set->n_items == ARRAY_SIZE(set->items))
			continue;
		fd = fcntl(fd_store_get(store, name), F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			continue;
		item->fd = fd;
		item->fresh = false;
		(void)snprintf(item->text, sizeof(item->text), "%s",
			       name + strlen(FD_STORE_PREFIX) + 1);
		swap(item->text, '|', ':');
		set->n_items++;
	}
}

static bool set_has(const struct listener_set *set, enum listen_persist_kind kind,
		    const char *wanted)
{
	char name[FD_STORE_NAME_MAX];

	for (size_t i = 0; i < set->n_items; i++) {
		if (name_of(kind, set->items[i].text, name) && strcmp(name, wanted) == 0)
			return true;
	}
	return false;
}

void listen_persist_save(struct fd_store *store, enum listen_persist_kind kind,
			 const struct listener_set *set)
{
	char name[FD_STORE_NAME_MAX];

	for (size_t i = 0; fd_store_name(store, i);) {
		(void)snprintf(name, sizeof(name), "%s", fd_store_name(store, i));
		/* a drop moves the last name to this index */
		if (is_kind(name, kind) && !set_has(set, kind, name))
			fd_store_drop(store, name);
		else
			i++;
	}
	for (size_t i = 0; store && i < set->n_items; i++) {
		int fd;

		if (!name_of(kind, set->items[i].text, name) || fd_store_get(store, name) >= 0)
			continue;
		fd = fcntl(set->items[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			(void)fd_store_put(store, name, fd);
	}
}

static void unix_name(char *name, const struct stat *st)
{
	(void)snprintf(name, FD_STORE_NAME_MAX, UNIX_PREFIX "%llx.%llx",
		       (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
}

int listen_persist_unix(struct fd_store *store, const char *path, mode_t mode, gid_t group,
			struct error *error)
{
	char name[FD_STORE_NAME_MAX];
	struct stat st;
	int fd, copy;

	/* the stored socket is usable if it is the one that the file is: same device and inode */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		unix_name(name, &st);
		fd = fd_store_get(store, name);
		if (fd >= 0)
			return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	for (size_t i = 0; fd_store_name(store, i);) {
		(void)snprintf(name, sizeof(name), "%s", fd_store_name(store, i));
		if (strncmp(name, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
			fd_store_drop(store, name);
		else
			i++;
	}
	fd = listen_unix(path, mode, group, error);
	if (fd < 0 || !store || lstat(path, &st) < 0)
		return fd;
	unix_name(name, &st);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy >= 0)
		(void)fd_store_put(store, name, copy);
	return fd;
}
