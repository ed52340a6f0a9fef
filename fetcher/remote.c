/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/remote.h"

#include "common/cleanup.h"
#include "common/messages/config.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Copy the secret as a string; one that contains a NUL is refused. */
static int secret_copy(const struct field_blob *secret, char **ret_secret)
{
	if (memchr(secret->data, '\0', secret->size))
		return -EBADMSG;
	*ret_secret = strndup(secret->data, secret->size);
	return *ret_secret ? 0 : -ENOMEM;
}

int repository_read(struct message *message, struct repository **ret_repository)
{
	cleanup_repository struct repository *repository = NULL;
	struct message_config_repository config;
	int r = MESSAGE_GET(message, config_repository, &config);

	if (r < 0)
		return r;
	if (!project_name_valid(config.project))
		return -EBADMSG;
	repository = calloc(1, sizeof(*repository));
	if (!repository)
		return -ENOMEM;
	r = text_copy(repository->project, sizeof(repository->project), config.project);
	if (r == 0)
		r = text_copy(repository->url, sizeof(repository->url), config.url);
	if (r == 0)
		r = text_copy(repository->user, sizeof(repository->user), config.user);
	if (r == 0)
		r = secret_copy(&config.password, &repository->password);
	if (r == 0)
		r = secret_copy(&config.ssh_key, &repository->ssh_key);
	if (r < 0)
		return r;
	repository->known_hosts = strdup(config.known_hosts);
	if (!repository->known_hosts)
		return -ENOMEM;
	/* a file with a secret ends with a newline, which does not belong to the token */
	repository->password[strcspn(repository->password, "\r\n")] = '\0';
	*ret_repository = TAKE_PTR(repository);
	return 0;
}

static struct field_blob blob_of(const char *secret)
{
	return (struct field_blob){.data = secret, .size = strlen(secret)};
}

struct message *repository_write(const struct repository *repository)
{
	return MESSAGE_NEW(
		config_repository, 0, .project = repository->project, .url = repository->url,
		.user = repository->user, .password = blob_of(repository->password),
		.ssh_key = blob_of(repository->ssh_key), .known_hosts = repository->known_hosts);
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
