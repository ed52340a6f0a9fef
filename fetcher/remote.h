/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REMOTE_H
#define FETCHER_REMOTE_H

/*
 * Where a project's repository is, and with what it is opened. The URL comes
 * from the administrator's configuration only, never from a payload; it is
 * checked all the same, because a "remote" in git may also be a command.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/message.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

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

/**
 * struct repository - one project's line of configuration (CONFIG_REPOSITORY)
 *
 * Strings are NUL-terminated and owned; secrets are wiped by repository_free().
 */
struct repository {
	char project[PROJECT_NAME_MAX + 1];
	char url[URL_MAX + 1];
	char user[REMOTE_USER_MAX + 1];
	char *password;
	char *ssh_key;
	char *known_hosts;
	uint64_t asked_usec; /* for the service: when a fetch that got all its references began */
};

/** repository_read() - take the fields of a CONFIG_REPOSITORY. Return: 0, -EBADMSG, -ENOMEM. */
int repository_read(struct message *message, struct repository **ret_repository);
/** repository_write() - the same message again, for a child. Return: NULL without memory. */
struct message *repository_write(const struct repository *repository);
/** repository_free() - wipe and release. Return: NULL. */
struct repository *repository_free(struct repository *repository);
static inline void repository_free_fn(struct repository **repository)
{
	(void)repository_free(*repository);
}
#define cleanup_repository __attribute__((cleanup(repository_free_fn)))

#endif
