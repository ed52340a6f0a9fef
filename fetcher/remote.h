/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REMOTE_H
#define FETCHER_REMOTE_H

/* A project's line of configuration: where its repository is, and with what it is opened. */

#include "common/message.h"
#include "common/remote.h"

#include <stddef.h>
#include <stdint.h>

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
