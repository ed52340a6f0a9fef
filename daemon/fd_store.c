/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/fd_store.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* "PID NAME=FD NAME=FD …", set before our execve(2); a service manager uses sd_listen_fds(3) */
#define HANDED_ON "RUNBOOK_KEPT"
#define LISTEN_FIRST 3
#define MANAGER_TIMEOUT_MSEC 60000 /* at boot the service manager may be busy */

struct entry {
	char name[FD_STORE_NAME_MAX];
	int fd;
};

struct fd_store {
	struct entry *entries;
	size_t n_entries, room;
	bool outlives;
};

/* ---- names ---- */

static struct entry *entry_find(const struct fd_store *store, const char *name)
{
	/* most look-ups are for the youngest entries */
	for (size_t i = store->n_entries; i > 0; i--) {
		if (strcmp(store->entries[i - 1].name, name) == 0)
			return &store->entries[i - 1];
	}
	return NULL;
}

static int entry_add(struct fd_store *store, const char *name, int fd)
{
	struct entry *grown;
	size_t room = store->room ? store->room * 2 : 64;

	if (strlen(name) >= FD_STORE_NAME_MAX)
		return -ENAMETOOLONG;
	if (store->n_entries == FD_STORE_MAX)
		return -ENOSPC;
	if (store->n_entries == store->room) {
		grown = reallocarray(store->entries, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		store->entries = grown;
		store->room = room;
	}
	(void)snprintf(store->entries[store->n_entries].name, FD_STORE_NAME_MAX, "%s", name);
	store->entries[store->n_entries++].fd = fd;
	return 0;
}

/* ---- inheriting ---- */

static bool number_parse(const char *text, int *ret_number)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end != '\0' || number < 0 || number > 1 << 24)
		return false;
	*ret_number = (int)number;
	return true;
}

/* Is the variable for process @wanted? It may have been set for another one and inherited. */
static bool is_of(const char *pid_text, pid_t wanted)
{
	int pid;

	return pid_text && number_parse(pid_text, &pid) && pid == (int)wanted;
}

static void adopt_one(struct fd_store *store, const char *name, int fd, int *highest)
{
	if (fd < LISTEN_FIRST)
		return;
	if (strncmp(name, FD_STORE_PREFIX, strlen(FD_STORE_PREFIX)) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || entry_add(store, name, fd) < 0)
		(void)close(fd);
	else if (fd > *highest)
		*highest = fd;
}

static void adopt_listen(struct fd_store *store, int *highest)
{
	const char *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	cleanup_free char *copy = names ? strdup(names) : NULL;
	char *rest = copy;
	int n = 0;

	if (!copy || !count || !is_of(getenv("LISTEN_PID"), getpid()) || !number_parse(count, &n))
		return;
	for (int i = 0; i < n && rest; i++)
		adopt_one(store, strsep(&rest, ":"), LISTEN_FIRST + i, highest);
}

static void adopt_handed_on(struct fd_store *store, pid_t by, int *highest)
{
	const char *text = getenv(HANDED_ON);
	cleanup_free char *copy = text ? strdup(text) : NULL;
	char *rest = copy;
	char *word = strsep(&rest, " ");

	if (!copy || !is_of(word, by))
		return;
	while ((word = strsep(&rest, " ")) != NULL) {
		char *number = strchr(word, '=');
		int fd;

		if (!number)
			continue;
		*number++ = '\0';
		if (number_parse(number, &fd))
			adopt_one(store, word, fd, highest);
	}
}

struct fd_store *fd_store_inherit(int *ret_highest)
{
	struct fd_store *store = calloc(1, sizeof(*store));
	const char *kept = getenv("FDSTORE");
	int most = 0;

	*ret_highest = 2;
	if (!store)
		return NULL;
	store->outlives = getenv("NOTIFY_SOCKET") && kept && number_parse(kept, &most) && most > 0;
	if (getenv(HANDED_ON))
		adopt_handed_on(store, getpid(), ret_highest);
	else
		adopt_listen(store, ret_highest);
	(void)unsetenv(HANDED_ON);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return store;
}

struct fd_store *fd_store_borrow(int *ret_highest)
{
	struct fd_store *store = calloc(1, sizeof(*store));

	*ret_highest = 2;
	if (store)
		adopt_handed_on(store, getppid(), ret_highest);
	return store;
}

struct fd_store *fd_store_free(struct fd_store *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < store->n_entries; i++)
		(void)close(store->entries[i].fd);
	free(store->entries);
	free(store);
	return NULL;
}

bool fd_store_outlives(const struct fd_store *store)
{
	return store && store->outlives;
}

/* ---- keeping ---- */

int fd_store_put(struct fd_store *store, const char *name, int fd)
{
	char state[FD_STORE_NAME_MAX + 64];
	int r = store ? entry_add(store, name, fd) : -EINVAL;

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	if (!store->outlives)
		return 0;
	/* FDPOLL=0: a pipe without writers must stay, because it may have the last of a log */
	(void)snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	r = notify_fd(state, fd);
	if (r < 0)
		log_warning("the service manager does not keep %s: %s", name, strerror(-r));
	return r;
}

int fd_store_get(const struct fd_store *store, const char *name)
{
	const struct entry *entry = store ? entry_find(store, name) : NULL;

	return entry ? entry->fd : -1;
}

static void tell_dropped(const struct fd_store *store, const char *name)
{
	char state[FD_STORE_NAME_MAX + 64];

	(void)snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	if (store->outlives)
		notify_state(state);
}

void fd_store_drop(struct fd_store *store, const char *name)
{
	struct entry *entry = store ? entry_find(store, name) : NULL;

	if (!entry)
		return;
	tell_dropped(store, name);
	(void)close(entry->fd);
	*entry = store->entries[--store->n_entries];
}

/* ---- replacing ---- */

/* "base" is number 0, "base.7" is number 7. Return: -1 for another name. */
static long generation_of(const char *name, const char *base)
{
	size_t length = strlen(base);
	int number;

	if (strncmp(name, base, length) != 0)
		return -1;
	if (name[length] == '\0')
		return 0;
	return name[length] == '.' && number_parse(name + length + 1, &number) ? number : -1;
}

static const struct entry *newest(const struct fd_store *store, const char *base, long *ret_number)
{
	const struct entry *found = NULL;

	*ret_number = -1;
	for (size_t i = 0; store && i < store->n_entries; i++) {
		long number = generation_of(store->entries[i].name, base);

		if (number > *ret_number) {
			*ret_number = number;
			found = &store->entries[i];
		}
	}
	return found;
}

int fd_store_newest(const struct fd_store *store, const char *base)
{
	long number;
	const struct entry *entry = newest(store, base, &number);

	return entry ? entry->fd : -1;
}

/* Wait until the service manager has handled all our messages: BARRIER=1 of sd_notify(3). */
static int wait_kept(const struct fd_store *store)
{
	struct pollfd file = {.events = 0};
	cleanup_close int read_fd = -1;
	int fds[2], r;

	if (!store->outlives)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	file.fd = read_fd;
	r = notify_fd("BARRIER=1", fds[1]);
	(void)close(fds[1]);
	if (r < 0)
		return r;
	do {
		r = poll(&file, 1, MANAGER_TIMEOUT_MSEC);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

int fd_store_renew(struct fd_store *store, const char *base, int fd)
{
	char name[FD_STORE_NAME_MAX];
	long number, old;
	int r;

	(void)newest(store, base, &number);
	(void)snprintf(name, sizeof(name), "%s.%ld", base, number < 0 ? 1 : number + 1);
	r = fd_store_put(store, name, fd);
	if (number < 0)
		return r;
	if (r == 0)
		r = wait_kept(store);
	if (r < 0) {
		fd_store_drop(store, name);
		return r;
	}
	for (size_t i = 0; i < store->n_entries;) {
		old = generation_of(store->entries[i].name, base);
		(void)snprintf(name, sizeof(name), "%s", store->entries[i].name);
		/* a drop moves the last entry to this index */
		if (old >= 0 && old <= number)
			fd_store_drop(store, name);
		else
			i++;
	}
	return 0;
}

void fd_store_clear(struct fd_store *store)
{
	while (store && store->n_entries > 0) {
		struct entry *entry = &store->entries[--store->n_entries];

		tell_dropped(store, entry->name);
		(void)close(entry->fd);
	}
}

const char *fd_store_name(const struct fd_store *store, size_t index)
{
	return store && index < store->n_entries ? store->entries[index].name : NULL;
}

int fd_store_hand_on(struct fd_store *store, bool on)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *out;
	int r = 0;

	for (size_t i = 0; i < store->n_entries && r == 0; i++)
		r = fd_set_cloexec(store->entries[i].fd, !on);
	if (!on) {
		(void)unsetenv(HANDED_ON);
		return r;
	}
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	fprintf(out, "%d", (int)getpid());
	for (size_t i = 0; i < store->n_entries; i++)
		fprintf(out, " %s=%d", store->entries[i].name, store->entries[i].fd);
	if (fclose(out) != 0 || r < 0)
		return r < 0 ? r : -ENOMEM;
	return setenv(HANDED_ON, text, 1) < 0 ? -errno : 0;
}

/* ---- fd bundles ---- */

union control {
	char bytes[CMSG_SPACE(FD_BUNDLE_FDS_MAX * sizeof(int))];
	struct cmsghdr header; /* for its alignment */
};

int fd_bundle_make(const void *data, size_t size, const int *fds, size_t n_fds)
{
	struct iovec vector = {.iov_base = (void *)data, .iov_len = size};
	union control control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	const int room = (int)(2 * size);
	struct cmsghdr *header;
	cleanup_close int in = -1;
	cleanup_close int out = -1;
	int pair[2];

	if (n_fds == 0 || n_fds > FD_BUNDLE_FDS_MAX || size > FD_BUNDLE_BYTES_MAX)
		return -E2BIG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	in = pair[0];
	out = pair[1];
	(void)setsockopt(in, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	message.msg_control = control.bytes;
	message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	if (sendmsg(in, &message, MSG_NOSIGNAL) != (ssize_t)size)
		return errno ? -errno : -EMSGSIZE;
	return TAKE_FD(out);
}

ssize_t fd_bundle_open(int bundle_fd, void *data, size_t size, int *fds, size_t *ret_n_fds)
{
	struct iovec vector = {.iov_base = data, .iov_len = size};
	union control control;
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(bundle_fd, &message, MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*ret_n_fds = 0;
	if (got < 0)
		return -errno;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
		size_t n = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + *ret_n_fds, CMSG_DATA(at), n * sizeof(int));
		*ret_n_fds += n;
	}
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || got == 0) {
		for (size_t i = 0; i < *ret_n_fds; i++)
			(void)close(fds[i]);
		*ret_n_fds = 0;
		return -EMSGSIZE;
	}
	return got;
}
