/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/answers.h"

#include "cacher/store_index.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define STATUS_OK 200
#define STATUS_NOT_FOUND 404
#define STATUS_FAILED 500

static const char *const kind_names[CACHER_NUM_KINDS] = {"none", "file", "directory"};

static int list_item(void *userdata, const char *key, const struct store_entry *entry)
{
	char digest[2 * STORE_DIGEST_BYTES + 1];
	json_t *item;

	digest_text(digest, entry->digest);
	item = json_pack("{s:s, s:s, s:I, s:s, s:i, s:I}", "key", key, "kind",
			 kind_names[entry->kind], "size", (json_int_t)entry->size, "digest", digest,
			 "mode", (int)entry->mode, "created_usec", (json_int_t)entry->created_usec);
	return !item || json_array_append_new(userdata, item) < 0 ? -ENOMEM : 0;
}

/* The keys of a run as JSON in a sealed memfd. Return: fd or -errno. */
static int list_fd(struct store *store, const char *project, uint64_t run)
{
	json_t *items = json_array();
	json_t *whole = NULL;
	struct store_run *opened = NULL;
	cleanup_free char *text = NULL;
	int r = items ? store_run_open(store, project, run, &opened) : -ENOMEM;

	if (r == 0)
		r = store_list(opened, list_item, items);
	(void)store_run_close(opened);
	if (r == 0)
		whole = json_pack("{s:O}", "artifacts", items);
	json_decref(items);
	if (whole)
		text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	if (r == 0)
		r = text ? memfd_sealed("artifacts", text, strlen(text)) : -ENOMEM;
	return r;
}

int answer_list(struct channel *channel, struct message *message)
{
	const char *project = message_get_string(message, PROJECT_NAME_MAX);
	uint64_t run = message_get_u64(message);
	cleanup_close int fd = -1;
	struct message *answer;

	if (message_end(message) < 0 || !project_name_valid(project))
		return -EBADMSG;
	fd = list_fd(channel->userdata, project, run);
	answer = message_new(MESSAGE_ARTIFACT_LISTED, message->serial);
	if (!answer)
		return -ENOMEM;
	message_put_u64(answer, fd >= 0 ? STATUS_OK : STATUS_FAILED);
	if (fd >= 0)
		message_put_fd(answer, fd);
	(void)channel_send(channel, answer); /* a lost api asks again */
	return 0;
}

int answer_open(struct channel *channel, struct message *message)
{
	const char *project = message_get_string(message, PROJECT_NAME_MAX);
	uint64_t run = message_get_u64(message);
	const char *key = message_get_string(message, ARTIFACT_KEY_MAX);
	struct store_entry entry = {.kind = CACHER_KIND_NONE};
	struct store_run *opened = NULL;
	cleanup_close int fd = -1;
	struct message *answer;
	int r;

	if (message_end(message) < 0 || !project_name_valid(project))
		return -EBADMSG;
	if (artifact_key_valid(key)) {
		r = store_run_open(channel->userdata, project, run, &opened);
		if (r == 0)
			r = store_get(opened, key, &fd, &entry, NULL);
		(void)store_run_close(opened);
	} else {
		r = STORE_E_NO_KEY;
	}
	answer = message_new(MESSAGE_ARTIFACT_OPENED, message->serial);
	if (!answer)
		return -ENOMEM;
	message_put_u64(answer, r == 0		      ? STATUS_OK
				: r == STORE_E_NO_KEY ? STATUS_NOT_FOUND
						      : STATUS_FAILED);
	message_put_string(answer, kind_names[entry.kind]);
	message_put_u64(answer, entry.size);
	if (r == 0)
		message_put_fd(answer, fd);
	(void)channel_send(channel, answer);
	return 0;
}
