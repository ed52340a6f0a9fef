/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/remote.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A copy of the next bytes field as a string; a secret with a NUL inside is none. */
static int secret_read(struct message *message, char **ret_secret)
{
	size_t size;
	const char *data = message_get_bytes(message, &size);

	if (memchr(data, '\0', size))
		return -EBADMSG;
	*ret_secret = strndup(data, size);
	return *ret_secret ? 0 : -ENOMEM;
}

static void string_read(struct message *message, char *out, size_t size)
{
	const char *text = message_get_string(message, size - 1);

	memcpy(out, text, strlen(text) + 1);
}

int repository_read(struct message *message, struct repository **ret_repository)
{
	cleanup_repository struct repository *repository = calloc(1, sizeof(*repository));
	int r;

	if (!repository)
		return -ENOMEM;
	string_read(message, repository->project, sizeof(repository->project));
	string_read(message, repository->url, sizeof(repository->url));
	string_read(message, repository->user, sizeof(repository->user));
	r = secret_read(message, &repository->password);
	if (r == 0)
		r = secret_read(message, &repository->ssh_key);
	if (r < 0)
		return r;
	/* known_hosts is a string field, and the longest one */
	repository->known_hosts = strdup(message_get_string(message, MESSAGE_BYTES_MAX));
	if (!repository->known_hosts)
		return -ENOMEM;
	if (message_end(message) < 0 || !project_name_valid(repository->project))
		return -EBADMSG;
	/* files of secrets end with a newline, which is no part of a token */
	repository->password[strcspn(repository->password, "\r\n")] = '\0';
	*ret_repository = TAKE_PTR(repository);
	return 0;
}

struct message *repository_write(const struct repository *repository)
{
	struct message *message = message_new(MESSAGE_CONFIG_REPOSITORY, 0);

	if (!message)
		return NULL;
	message_put_string(message, repository->project);
	message_put_string(message, repository->url);
	message_put_string(message, repository->user);
	message_put_bytes(message, repository->password, strlen(repository->password));
	message_put_bytes(message, repository->ssh_key, strlen(repository->ssh_key));
	message_put_string(message, repository->known_hosts);
	return message;
}

static void secret_free(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

struct repository *repository_free(struct repository *repository)
{
	if (!repository)
		return NULL;
	secret_free(repository->password);
	secret_free(repository->ssh_key);
	free(repository->known_hosts);
	free(repository);
	return NULL;
}
