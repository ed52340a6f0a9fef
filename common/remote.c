/* SPDX-License-Identifier: Apache-2.0 */
#include "common/remote.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *prefix;
	enum remote_scheme scheme;
} schemes[] = {
	{"file://", REMOTE_SCHEME_FILE},
	{"http://", REMOTE_SCHEME_HTTP},
	{"https://", REMOTE_SCHEME_HTTPS},
	{"ssh://", REMOTE_SCHEME_SSH},
};

static int refuse(struct error *error, const char *what)
{
	return error_set(error, EINVAL,
			 "the repository URL %s; write file:///path, https://host/path, "
			 "ssh://user@host/path or user@host:path",
			 what);
}

/* Percent-decodes as libgit2 does for file://, so that Landlock allows the path that it opens. */
static int path_decode(const char *text, char *out, size_t size, struct error *error)
{
	size_t used = 0;

	for (; *text; text++) {
		char c = *text;

		if (c == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
			c = (char)(hex_digit(text[1]) * 16 + hex_digit(text[2]));
			text += 2;
		}
		if (c == '\0')
			return refuse(error, "has a NUL in its path");
		if (used + 1 >= size)
			return refuse(error, "is too long");
		out[used++] = c;
	}
	out[used] = '\0';
	return 0;
}

static bool host_valid(const char *host)
{
	static const char set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	struct in6_addr address;

	if (!*host || host[0] == '-' || host[0] == '.')
		return false;
	if (strchr(host, ':'))
		return inet_pton(AF_INET6, host, &address) == 1;
	return strspn(host, set) == strlen(host);
}

static int port_parse(const char *text, unsigned *ret_port, struct error *error)
{
	unsigned long port = 0;

	if (!*text)
		return refuse(error, "has a colon after the host and no port (write the number, or "
				     "leave the colon out)");
	if (strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return refuse(error, "has a port that is not a number");
	port = strtoul(text, NULL, 10);
	if (port < 1 || port > 65535)
		return refuse(error, "has a port outside 1 to 65535");
	*ret_port = (unsigned)port;
	return 0;
}

static int user_set(struct remote *remote, const char *user, size_t length, struct error *error)
{
	if (length == 0 || length > REMOTE_USER_MAX)
		return refuse(error, "has an empty or overlong user name");
	if (memchr(user, ':', length))
		return error_set(error, EINVAL,
				 "the repository URL contains a password, which would show up in "
				 "logs; take it out and put it into the project's credential file");
	memcpy(remote->user, user, length);
	remote->user[length] = '\0';
	if (remote->user[0] == '-')
		return refuse(error, "has a user name that starts with '-'");
	return 0;
}

/* Parses [user@]host[:port] of @length bytes; an IPv6 address is in brackets. */
static int authority_parse(struct remote *remote, const char *text, size_t length,
			   struct error *error)
{
	char buffer[REMOTE_HOST_MAX + 16];
	const char *at = memrchr(text, '@', length);
	char *host = buffer;
	char *port = NULL;
	int r;

	if (at) {
		r = user_set(remote, text, (size_t)(at - text), error);
		if (r < 0)
			return r;
		length -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	if (length >= sizeof(buffer))
		return refuse(error, "has an overlong host name");
	memcpy(buffer, text, length);
	buffer[length] = '\0';
	if (buffer[0] == '[') {
		char *end = strchr(buffer, ']');

		if (!end || !memchr(buffer, ':', (size_t)(end - buffer)) ||
		    (end[1] && end[1] != ':'))
			return refuse(error, "has a broken [address]");
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		host = buffer + 1;
	} else {
		port = strchr(buffer, ':');
		if (port)
			*port++ = '\0';
	}
	if (strlen(host) > REMOTE_HOST_MAX || !host_valid(host))
		return refuse(error, "has no valid host name");
	memcpy(remote->host, host, strlen(host) + 1);
	return port ? port_parse(port, &remote->port, error) : 0;
}

static int url_parse(struct remote *remote, const char *rest, struct error *error)
{
	size_t length = strcspn(rest, "/?#");
	int r;

	if (remote->scheme == REMOTE_SCHEME_FILE) {
		if (length != 0)
			return refuse(error, "has a host after file:// (three slashes are needed)");
		return path_decode(rest, remote->path, sizeof(remote->path), error);
	}
	r = authority_parse(remote, rest, length, error);
	if (r < 0)
		return r;
	if (rest[length] != '/')
		return refuse(error, "has no path after the host");
	if (strpbrk(rest + length, "?#"))
		return refuse(error, "has a query or fragment, which git does not send");
	return path_decode(rest + length, remote->path, sizeof(remote->path), error);
}

/* Parses [user@]host:path, the notation of scp(1). */
static int scp_parse(struct remote *remote, const char *url, struct error *error)
{
	const char *colon = strchr(url, ':');
	const char *slash = strchr(url, '/');

	if (!colon || (slash && slash < colon))
		return refuse(error, "has no known scheme");
	if (colon[1] == ':')
		return refuse(error, "names a remote helper (\"name::…\"), which would run a "
				     "program");
	if (!colon[1] || colon[1] == '-')
		return refuse(error, "has no usable path after the host");
	remote->scheme = REMOTE_SCHEME_SSH;
	if (strlen(colon + 1) >= sizeof(remote->path))
		return refuse(error, "is too long");
	memcpy(remote->path, colon + 1, strlen(colon + 1) + 1);
	return authority_parse(remote, url, (size_t)(colon - url), error);
}

int remote_parse(const char *url, struct remote *ret_remote, struct error *error)
{
	struct remote remote = {.scheme = REMOTE_SCHEME_INVALID};
	int r = 0;

	if (!*url)
		return refuse(error, "is empty");
	if (strlen(url) > URL_MAX)
		return refuse(error, "is too long");
	if (!text_printable(url) || strchr(url, ' ') || strchr(url, '\\'))
		return refuse(error, "contains a space, backslash or control character");
	if (url[0] == '-')
		return refuse(error, "starts with '-'");
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t length = strlen(schemes[i].prefix);

		if (strncmp(url, schemes[i].prefix, length) != 0)
			continue;
		remote.scheme = schemes[i].scheme;
		r = url_parse(&remote, url + length, error);
	}
	if (remote.scheme == REMOTE_SCHEME_INVALID) {
		if (strstr(url, "://"))
			return refuse(error, "has a scheme that is not allowed");
		r = scp_parse(&remote, url, error);
	}
	if (r < 0)
		return r;
	*ret_remote = remote;
	return 0;
}

bool remote_is_loopback(const struct remote *remote)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcasecmp(remote->host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, remote->host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, remote->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
