/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/listen.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

static int parse_port(const char *text, in_port_t *ret_port)
{
	char *end;
	unsigned long port;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || port > 65535)
		return -EINVAL;
	*ret_port = htons((in_port_t)port);
	return 0;
}

static int parse_tcp(const char *host, const char *port_text, struct listen_address *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->tcp;
	struct sockaddr_in *in = (struct sockaddr_in *)&address->tcp;
	in_port_t port;

	if (parse_port(port_text, &port) < 0)
		return -EINVAL;
	address->kind = LISTEN_TCP;
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		address->tcp_size = sizeof(*in6);
		return 0;
	}
	memset(&address->tcp, 0, sizeof(address->tcp));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = port;
		address->tcp_size = sizeof(*in);
		return 0;
	}
	return -EINVAL;
}

/* Splits "HOST:PORT", "[HOST6]:PORT", "*:PORT" and "PORT". */
static int split_tcp(const char *text, char *host, size_t size, const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *start = text;
	size_t length;

	if (!colon) {
		(void)snprintf(host, size, "::");
		*ret_port = text;
		return 0;
	}
	length = (size_t)(colon - text);
	if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
		start++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return -EINVAL; /* IPv6 without brackets: it is not clear where the port starts */
	}
	if (length == 0 || length >= size)
		return -EINVAL;
	memcpy(host, start, length);
	host[length] = '\0';
	if (strcmp(host, "*") == 0)
		(void)snprintf(host, size, "::");
	else if (strcmp(host, "localhost") == 0)
		(void)snprintf(host, size, "127.0.0.1");
	*ret_port = colon + 1;
	return 0;
}

int listen_parse(const char *text, struct listen_address *ret_address, struct error *error)
{
	struct listen_address address = {.kind = LISTEN_NONE};
	char host[INET6_ADDRSTRLEN + 1];
	const char *port;

	if (strlen(text) >= LISTEN_TEXT_MAX)
		return error_set(error, EINVAL, "address is longer than %d bytes",
				 LISTEN_TEXT_MAX - 1);
	if (strcmp(text, "none") == 0) {
		*ret_address = address;
		return 0;
	}
	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] != '/')
			return error_set(error, EINVAL, "\"%s\" needs an absolute path: unix:/PATH",
					 text);
		address.kind = LISTEN_UNIX;
		(void)snprintf(address.path, sizeof(address.path), "%s", text + 5);
		*ret_address = address;
		return 0;
	}
	if (split_tcp(text, host, sizeof(host), &port) < 0 || parse_tcp(host, port, &address) < 0)
		return error_set(error, EINVAL,
				 "\"%s\" is not an address to listen on: write ADDRESS:PORT with a "
				 "numeric address (127.0.0.1:8471, [::]:8471), unix:/PATH or none",
				 text);
	*ret_address = address;
	return 0;
}

static int bind_tcp(const struct listen_address *address)
{
	cleanup_close int fd = -1;
	const int on = 1;
	const int off = 0;

	fd = socket(address->tcp.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* one socket serves both families, whatever net.ipv6.bindv6only is */
	if (address->tcp.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address->tcp, address->tcp_size) < 0)
		return -errno;
	if (listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* [::] on a machine without IPv6 means 0.0.0.0. */
static bool without_ipv6(const struct listen_address *address, int result,
			 struct listen_address *ret_ipv4)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->tcp;
	struct sockaddr_in *in = (struct sockaddr_in *)&ret_ipv4->tcp;

	if (address->tcp.ss_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
		return false;
	if (result != -EAFNOSUPPORT && result != -EADDRNOTAVAIL)
		return false;
	*ret_ipv4 = (struct listen_address){.kind = LISTEN_TCP, .tcp_size = sizeof(*in)};
	in->sin_family = AF_INET;
	in->sin_port = in6->sin6_port;
	return true;
}

/* Remove a socket that an earlier instance left; refuse any other file. */
static int remove_stale(int dir_fd, const char *name, const char *path, struct error *error)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(error, errno, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(
			error, EEXIST,
			"%s is there and is not a socket: remove it, or choose another path", path);
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return error_errno(error, errno, "cannot replace %s", path);
	return 0;
}

/* Set the mode with the umask: chmod(2) would follow a link that an attacker planted meanwhile. */
static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
	mode_t before = umask(0777 & ~mode);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	(void)umask(before);
	return r;
}

int listen_unix(const char *path, mode_t mode, gid_t group, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char directory[PATH_MAX];
	cleanup_close int dir_fd = -1;
	cleanup_close int fd = -1;
	const char *name = strrchr(path, '/');
	int r;

	if (!name || name[1] == '\0')
		return error_set(error, EINVAL, "\"%s\" is not a path of a socket", path);
	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(name - path) + 1, path);
	name++;
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return error_errno(error, errno, "cannot open the directory of socket %s", path);
	/* sun_path holds 107 bytes, a path under --root may be longer */
	if (snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
		     name) >= (int)sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, "the name of socket %s is too long", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(error, errno, "cannot make socket %s", path);
	r = remove_stale(dir_fd, name, path, error);
	if (r < 0)
		return r;
	r = bind_with_mode(fd, &address, mode);
	if (r < 0)
		return error_errno(error, -r, "cannot bind %s", path);
	/* set the group before listen(2): until then no client can connect */
	if (fchownat(dir_fd, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(error, errno, "cannot set the group of %s", path);
	if (listen(fd, SOMAXCONN) < 0)
		return error_errno(error, errno, "cannot listen on %s", path);
	return TAKE_FD(fd);
}

/* Bind and listen, non-blocking. @mode, @group: of a unix socket; it replaces a stale one. */
static int listen_open(const struct listen_address *address, mode_t mode, gid_t group,
		       struct error *error)
{
	struct listen_address ipv4;
	int fd;

	if (address->kind == LISTEN_UNIX)
		return listen_unix(address->path, mode, group, error);
	fd = bind_tcp(address);
	if (fd < 0 && without_ipv6(address, fd, &ipv4))
		fd = bind_tcp(&ipv4);
	if (fd == -EADDRINUSE)
		return error_set(error, EADDRINUSE,
				 "the port is in use: stop what listens there or choose another "
				 "port (0 picks a free one)");
	if (fd < 0)
		return error_errno(error, -fd, "cannot listen");
	return fd;
}

void listen_describe(int fd, char *out, size_t size)
{
	struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&storage;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
	socklen_t length = sizeof(storage);
	char host[INET6_ADDRSTRLEN] = "";

	(void)snprintf(out, size, "?");
	if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0)
		return;
	if (storage.ss_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)))
		(void)snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	else if (storage.ss_family == AF_INET &&
		 inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)))
		(void)snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
	else if (storage.ss_family == AF_UNIX)
		(void)snprintf(out, size, "unix");
}

static struct listener *listener_find(struct listener_set *set, const char *text)
{
	for (size_t i = 0; i < set->n_items; i++) {
		if (set->items[i].fd >= 0 && strcmp(set->items[i].text, text) == 0)
			return &set->items[i];
	}
	return NULL;
}

void listener_set_restore(struct listener_set *to, struct listener_set *from)
{
	for (size_t i = 0; i < from->n_items; i++) {
		for (size_t j = 0; j < to->n_items; j++) {
			if (to->items[j].fd < 0 &&
			    strcmp(to->items[j].text, from->items[i].text) == 0)
				to->items[j].fd = TAKE_FD(from->items[i].fd);
		}
	}
	listener_set_close(from);
}

/* Is it a unix socket that an earlier version opened to more users than @mode allows? */
static bool too_open(const struct listen_address *address, mode_t mode)
{
	struct stat st;

	return address->kind == LISTEN_UNIX && lstat(address->path, &st) == 0 &&
	       (st.st_mode & 0777 & ~mode) != 0;
}

int listener_set_update(struct listener_set *old, const struct config_list *wanted, mode_t mode,
			gid_t group, struct listener_set *ret_new, struct error *error)
{
	struct listener_set set = {.n_items = 0};

	for (size_t i = 0; i < wanted->n_items; i++) {
		struct listener *item = &set.items[set.n_items];
		struct listener *kept = listener_find(old, wanted->items[i]);
		struct listen_address address = {.kind = LISTEN_NONE};
		int fd;

		if (listen_parse(wanted->items[i], &address, error) < 0)
			goto fail;
		if (address.kind == LISTEN_NONE)
			continue;
		if (kept && too_open(&address, mode))
			kept = NULL;
		fd = kept ? TAKE_FD(kept->fd) : listen_open(&address, mode, group, error);
		if (fd < 0) {
			(void)error_wrap(error, "Listen=%s", wanted->items[i]);
			goto fail;
		}
		item->fd = fd;
		item->fresh = kept == NULL;
		(void)snprintf(item->text, sizeof(item->text), "%s", wanted->items[i]);
		set.n_items++;
	}
	*ret_new = set;
	return 0;
fail:
	listener_set_restore(old, &set);
	return -error->number;
}

void listener_set_close(struct listener_set *set)
{
	for (size_t i = 0; i < set->n_items; i++) {
		if (set->items[i].fd >= 0)
			(void)close(set->items[i].fd);
		set->items[i].fd = -1;
	}
	set->n_items = 0;
}
