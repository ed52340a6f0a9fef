/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_REMOTE_H
#define COMMON_REMOTE_H

/*
 * DOC: URLs of repositories
 *
 * The URL of a project's repository comes from the administrator's configuration, never from a
 * delivery. It is checked all the same, because a "remote" in git may also be a command.
 */

#include "common/error.h"
#include "common/limits.h"

#include <limits.h>
#include <stdbool.h>

#define REMOTE_USER_MAX 256
#define REMOTE_HOST_MAX 255

/** enum remote_scheme - transport of a repository's URL */
enum remote_scheme {
	REMOTE_SCHEME_INVALID = 0,
	REMOTE_SCHEME_FILE,
	REMOTE_SCHEME_HTTP,
	REMOTE_SCHEME_HTTPS,
	REMOTE_SCHEME_SSH, /* also user@host:path */
	REMOTE_SCHEME_NUM,
};

/**
 * struct remote - a checked URL
 * @user: "" if the URL has none
 * @host: "" for file://
 * @port: 0 for the scheme's own
 * @path: decoded; absolute for file://
 */
struct remote {
	enum remote_scheme scheme;
	char user[REMOTE_USER_MAX + 1];
	char host[REMOTE_HOST_MAX + 1];
	unsigned port;
	char path[URL_MAX + 1];
};

/**
 * remote_parse() - check @url and split it
 *
 * Accepts file:///path, http://, https://, ssh:// and [user@]host:path. Fails, with the fix in
 * @error, for everything else, passwords inside the URL, control characters, and names that a
 * program could take for an option.
 *
 * Return: 0 or -EINVAL.
 */
int remote_parse(const char *url, struct remote *ret_remote, struct error *error);

/** remote_is_loopback() - is the host literally localhost, in 127.0.0.0/8, or ::1? */
bool remote_is_loopback(const struct remote *remote);

#endif
