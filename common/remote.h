/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_REMOTE_H
#define COMMON_REMOTE_H

/*
 * Where a project's repository is. The URL comes from the administrator's
 * configuration only, never from a payload; it is checked all the same, because a
 * "remote" in git may also be a command.
 */

#include "common/error.h"
#include "common/limits.h"

#include <limits.h>
#include <stdbool.h>

#define REMOTE_USER_MAX 256
#define REMOTE_HOST_MAX 255

enum remote_scheme {
	REMOTE_SCHEME_INVALID = 0,
	REMOTE_SCHEME_FILE,
	REMOTE_SCHEME_HTTP,
	REMOTE_SCHEME_HTTPS,
	REMOTE_SCHEME_SSH, /* ssh:// and user@host:path */
	REMOTE_SCHEME_NUM,
};

/**
 * struct remote - a checked URL
 * @user: "" when the URL names none
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
 * remote_parse() - check @url and take it apart
 *
 * Accepted: file:///path, http://, https://, ssh://, [user@]host:path. Refused,
 * with the fix in @error: everything else, passwords inside the URL, control
 * characters, names that a program could take for an option.
 *
 * Return: 0 or -EINVAL.
 */
int remote_parse(const char *url, struct remote *ret_remote, struct error *error);

/** remote_is_loopback() - true for localhost, 127.0.0.0/8 and ::1 as literally written */
bool remote_is_loopback(const struct remote *remote);

#endif
