/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REMOTE_H
#define FETCHER_REMOTE_H

/*
 * DOC: A project's repository
 *
 * The URL and the credentials of one project, as CONFIG_REPOSITORY carries them from runbookd to
 * the service, and from there to the child that fetches. The secrets are wiped when the struct is
 * freed.
 */

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
	uint64_t asked_usec; /* service only: start of the last fetch that got all references */
};

/** repository_read() - read a CONFIG_REPOSITORY. Return: 0, -EBADMSG or -ENOMEM. */
int repository_read(struct message *message, struct repository **ret_repository);
/** repository_write() - @repository as a CONFIG_REPOSITORY for a child; NULL without memory */
struct message *repository_write(const struct repository *repository);
/** repository_free() - wipe the secrets and release the memory; NULL is allowed. Return: NULL. */
struct repository *repository_free(struct repository *repository);
static inline void repository_free_fn(struct repository **repository)
{
	(void)repository_free(*repository);
}
#define cleanup_repository __attribute__((cleanup(repository_free_fn)))

#endif
