/* SPDX-License-Identifier: Apache-2.0 */
/* The store in a directory: the size of a run, and its removal. */
#include "cacher/store_local.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int store_run_bytes(struct store *store, const char *project, uint64_t run, uint64_t *ret_bytes)
{
	struct store_run *opened = NULL;
	int r = store_run_open(store, project, run, &opened);

	if (r == 0)
		r = store_run_lock(opened, NULL);
	if (r == 0) {
		*ret_bytes = opened->bytes;
		store_run_unlock(opened);
	}
	(void)store_run_close(opened);
	return r;
}

/* Remove up to @most keys and return their digests in @digests. Return: how many, or -errno. */
static int keys_take(struct store_run *run, unsigned most, uint8_t (*digests)[STORE_DIGEST_BYTES])
{
	char path[sizeof(run->name) + ARTIFACT_KEY_MAX + 2], name[ARTIFACT_KEY_MAX + 1];
	unsigned n = 0;

	while (n < most && run->keys.n_items > 0) {
		/* the last key, so that no other has to be moved in the list */
		const struct key_entry *entry = &run->keys.items[run->keys.n_items - 1];

		index_name(name, entry->key);
		(void)snprintf(path, sizeof(path), "%s/%s", run->name, name);
		if (unlinkat(run->store->runs_fd, path, 0) < 0 && errno != ENOENT)
			return n ? (int)n : -errno;
		memcpy(digests[n++], entry->entry.digest, STORE_DIGEST_BYTES);
		run->bytes -= entry->entry.size;
		account_keys(run, 0, entry->entry.size);
		key_list_remove(&run->keys, entry->key);
	}
	return (int)n;
}

/* Remove some keys durably, and only then the contents that they named. */
static int some_remove(struct store_run *run, unsigned most)
{
	uint8_t(*digests)[STORE_DIGEST_BYTES] = calloc(most, sizeof(*digests));
	int n, r = digests ? store_run_lock(run, NULL) : -ENOMEM;

	if (r < 0) {
		free(digests);
		return r;
	}
	n = keys_take(run, most, digests);
	store_run_unlock(run);
	r = n > 0 ? store_sync_directory(run->store->runs_fd, run->name) : 0;
	/* without the sync a power cut may restore keys, so contents stay until the next start */
	for (int i = 0; r == 0 && i < n; i++)
		store_reference_release(run->store, digests[i]);
	free(digests);
	return r < 0 ? r : n;
}

int store_run_remove(struct store *store, const char *project, uint64_t run, unsigned most)
{
	struct store_run *opened = NULL;
	int n = store_run_open(store, project, run, &opened), r;

	if (n == 0)
		n = some_remove(opened, most);
	r = n < 0 ? n : n == (int)most ? 0 : 1;
	if (r == 1 && unlinkat(store->runs_fd, opened->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	(void)store_run_close(opened);
	return r;
}
