/* SPDX-License-Identifier: Apache-2.0 */
#include "images/store.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LAYER_FACTS_MAX (3 * MIB)

static const char *const directories[] = {"images", "names",	    "scopes",
					  "layers", "blobs/sha256", "tmp"};

int store_open(struct store *store, const char *path, struct error *error)
{
	int r;

	store->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		r = make_directories(store->fd, directories[i], 0700);
		if (r < 0)
			return error_errno(error, -r, "cannot make %s/%s", path, directories[i]);
	}
	store->lock_fd = openat(store->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return error_errno(error, errno, "cannot open %s/lock", path);
	return 0;
}

void store_close(struct store *store)
{
	if (store->fd >= 0)
		(void)close(store->fd);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd);
	*store = STORE_NULL;
}

int store_lock(struct store *store, bool exclusive)
{
	return flock(store->lock_fd, exclusive ? LOCK_EX | LOCK_NB : LOCK_SH | LOCK_NB) < 0 ? -errno
											    : 0;
}

void store_unlock(struct store *store)
{
	(void)flock(store->lock_fd, LOCK_UN);
}

static DIR *list(const struct store *store, const char *name)
{
	int fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory && fd >= 0)
		(void)close(fd);
	return directory;
}

void store_sweep(struct store *store)
{
	cleanup_closedir DIR *directory = NULL;
	const struct dirent *entry;

	/* another process may use the store: leave its files alone */
	if (store_lock(store, true) < 0)
		return;
	directory = list(store, "tmp");
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] != '.')
			(void)remove_tree(dirfd(directory), entry->d_name);
	}
	store_unlock(store);
}

/* ---- small files ---- */

static int read_small(const struct store *store, const char *path, size_t limit, char **ret_data,
		      size_t *ret_size)
{
	cleanup_close int fd = open_beneath(store->fd, path, O_RDONLY, 0);

	return fd < 0 ? fd : fd_read_file(fd, limit, ret_data, ret_size);
}

int store_image_put(struct store *store, const struct image_record *record)
{
	cleanup_free char *data = NULL;
	char path[IMAGE_ID_SIZE + 16];
	size_t size;
	int r = image_record_format(record, &data, &size);

	if (r < 0) {
		data = NULL;
		return r;
	}
	(void)snprintf(path, sizeof(path), "images/%s", record->id);
	return file_replace(store->fd, path, data, size, 0600);
}

int store_image_get(struct store *store, const char *id, char **ret_data, size_t *ret_size,
		    struct image_record *ret_record)
{
	char path[IMAGE_ID_SIZE + 16];
	int r;

	*ret_data = NULL;
	(void)snprintf(path, sizeof(path), "images/%s", id);
	r = read_small(store, path, IMAGE_RECORD_MAX, ret_data, ret_size);
	if (r == 0)
		r = image_record_parse(*ret_data, *ret_size, ret_record);
	if (r == 0 && strcmp(ret_record->id, id) != 0)
		r = -EBADMSG;
	if (r < 0) {
		free(*ret_data);
		*ret_data = NULL;
	}
	return r;
}

static void name_path(const char *name, char *out, size_t size)
{
	char file[IMAGE_NAME_MAX + 1];

	image_name_file(name, file);
	(void)snprintf(out, size, "names/%s", file);
}

int store_name_put(struct store *store, const char *name, const char *id)
{
	char path[IMAGE_NAME_MAX + 16];

	name_path(name, path, sizeof(path));
	return file_replace(store->fd, path, id, strlen(id), 0600);
}

int store_name_get(struct store *store, const char *name, char *id)
{
	char path[IMAGE_NAME_MAX + 16];
	cleanup_free char *data = NULL;
	size_t size;

	name_path(name, path, sizeof(path));
	if (read_small(store, path, IMAGE_ID_SIZE, &data, &size) < 0 || !image_id_valid(data))
		return -ENOENT;
	memcpy(id, data, IMAGE_ID_SIZE);
	return 0;
}

int store_name_remove(struct store *store, const char *name)
{
	char path[IMAGE_NAME_MAX + 16], file[IMAGE_NAME_MAX + 1];

	name_path(name, path, sizeof(path));
	if (unlinkat(store->fd, path, 0) < 0)
		return -errno;
	image_name_file(name, file);
	(void)snprintf(path, sizeof(path), "scopes/%s", file);
	(void)unlinkat(store->fd, path, 0);
	return 0;
}

/* ---- walking ---- */

int store_each_image(struct store *store,
		     int (*visit)(void *userdata, const struct image_record *record,
				  const char *data, size_t size),
		     void *userdata)
{
	cleanup_closedir DIR *directory = list(store, "images");
	const struct dirent *entry;
	int r = directory ? 0 : -errno;

	while (r >= 0 && directory && (entry = readdir(directory))) {
		cleanup_free char *data = NULL;
		struct image_record record;
		size_t size;

		if (!image_id_valid(entry->d_name))
			continue;
		if (store_image_get(store, entry->d_name, &data, &size, &record) == 0)
			r = visit(userdata, &record, data, size);
		else
			log_warning("the record of image %.12s cannot be read, ignoring",
				    entry->d_name);
	}
	return r < 0 ? r : 0;
}

int store_each_name(struct store *store,
		    int (*visit)(void *userdata, const char *name, const char *id), void *userdata)
{
	cleanup_closedir DIR *directory = list(store, "names");
	const struct dirent *entry;
	int r = directory ? 0 : -errno;

	while (r >= 0 && directory && (entry = readdir(directory))) {
		char name[NAME_MAX + 1], id[IMAGE_ID_SIZE];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s", entry->d_name);
		for (char *at = name; *at; at++) {
			if (*at == '+')
				*at = '/';
		}
		if (image_name_valid(name) && store_name_get(store, name, id) == 0)
			r = visit(userdata, name, id);
	}
	return r < 0 ? r : 0;
}

/* ---- facts about layers ---- */

int store_layer_put(struct store *store, const char *layer, const struct store_layer *facts)
{
	cleanup_free char *data = NULL;
	char path[IMAGE_ID_SIZE + 16];
	size_t size;
	FILE *stream = open_memstream(&data, &size);

	if (!stream)
		return -ENOMEM;
	(void)fprintf(stream, "b%" PRIu64 "%cn%" PRIu64 "%c", facts->bytes, 0, facts->entries, 0);
	if (facts->cut)
		(void)fprintf(stream, "c%c", 0);
	if (facts->passwd)
		(void)fprintf(stream, "P%s%c", facts->passwd, 0);
	if (facts->group)
		(void)fprintf(stream, "G%s%c", facts->group, 0);
	if (fclose(stream) != 0)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "layers/%s", layer);
	return file_replace(store->fd, path, data, size, 0600);
}

void store_layer_clear(struct store_layer *facts)
{
	free(facts->passwd);
	free(facts->group);
	*facts = (struct store_layer){0};
}

int store_layer_get(struct store *store, const char *layer, struct store_layer *ret_facts)
{
	cleanup_free char *data = NULL;
	char path[IMAGE_ID_SIZE + 16];
	size_t size;
	int r;

	*ret_facts = (struct store_layer){0};
	(void)snprintf(path, sizeof(path), "layers/%s", layer);
	r = read_small(store, path, LAYER_FACTS_MAX, &data, &size);
	if (r < 0)
		return r;
	if (size == 0 || data[size - 1] != '\0')
		return -EBADMSG;
	for (const char *item = data; item < data + size; item += strlen(item) + 1) {
		if (*item == 'b')
			ret_facts->bytes = strtoull(item + 1, NULL, 10);
		else if (*item == 'n')
			ret_facts->entries = strtoull(item + 1, NULL, 10);
		else if (*item == 'c')
			ret_facts->cut = true;
		else if (*item == 'P' && !ret_facts->passwd)
			ret_facts->passwd = strdup(item + 1);
		else if (*item == 'G' && !ret_facts->group)
			ret_facts->group = strdup(item + 1);
	}
	return 0;
}

/* ---- blobs ---- */

int store_blob_open(struct store *store, const char *digest)
{
	char path[IMAGE_ID_SIZE + 24];

	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", digest);
	return open_beneath(store->fd, path, O_RDONLY | O_NONBLOCK, 0);
}

void store_blob_remove(struct store *store, const char *digest)
{
	char path[IMAGE_ID_SIZE + 24];

	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", digest);
	(void)unlinkat(store->fd, path, 0);
}

/* ---- pruning ---- */

/** struct id_set - a list of ids; to be sorted before a lookup */
struct id_set {
	char (*ids)[IMAGE_ID_SIZE];
	size_t n, room;
};

static int id_add(struct id_set *set, const char *id)
{
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 256;
		void *grown = reallocarray(set->ids, room, IMAGE_ID_SIZE);

		if (!grown)
			return -ENOMEM;
		set->ids = grown;
		set->room = room;
	}
	memcpy(set->ids[set->n++], id, IMAGE_ID_SIZE);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, IMAGE_ID_SIZE);
}

static void id_sort(struct id_set *set)
{
	if (set->n > 1)
		qsort(set->ids, set->n, IMAGE_ID_SIZE, compare_ids);
}

static bool id_has(const struct id_set *set, const char *id)
{
	return set->n > 0 && bsearch(id, set->ids, set->n, IMAGE_ID_SIZE, compare_ids);
}

struct pruning {
	struct id_set named, layers, blobs, all;
};

static int note_name(void *userdata, const char *name, const char *id)
{
	struct pruning *pruning = userdata;

	return id_add(&pruning->named, id);
}

static int note_image(void *userdata, const struct image_record *record, const char *data,
		      size_t size)
{
	struct pruning *pruning = userdata;
	int r = 0;

	if (!id_has(&pruning->named, record->id))
		return id_add(&pruning->all, record->id); /* @all: those that are removed */
	for (size_t i = 0; r == 0 && i < record->n_layers; i++)
		r = id_add(&pruning->layers, record->layers[i]);
	for (size_t i = 0; r == 0 && i < record->n_blobs; i++)
		r = id_add(&pruning->blobs, record->blobs[i]);
	return r;
}

/* Remove each file of directory @name that is not in @keep, and call @drop with it. */
static void sweep_unkept(struct store *store, const char *name, const struct id_set *keep,
			 void (*drop)(void *userdata, const char *id), void *userdata)
{
	cleanup_closedir DIR *directory = list(store, name);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char id[IMAGE_ID_SIZE];

		if (!image_id_valid(entry->d_name))
			continue;
		memcpy(id, entry->d_name, IMAGE_ID_SIZE);
		if (id_has(keep, id))
			continue;
		(void)unlinkat(dirfd(directory), id, 0);
		if (drop)
			drop(userdata, id);
	}
}

int store_prune(struct store *store, void (*forget)(void *userdata, const char *layer),
		void *userdata, uint64_t *ret_images)
{
	struct pruning pruning = {0};
	char path[IMAGE_ID_SIZE + 16];
	int r = store_each_name(store, note_name, &pruning);

	id_sort(&pruning.named);
	if (r == 0)
		r = store_each_image(store, note_image, &pruning);
	if (r == 0) {
		id_sort(&pruning.layers);
		id_sort(&pruning.blobs);
		for (size_t i = 0; i < pruning.all.n; i++) {
			(void)snprintf(path, sizeof(path), "images/%s", pruning.all.ids[i]);
			(void)unlinkat(store->fd, path, 0);
		}
		*ret_images = pruning.all.n;
		sweep_unkept(store, "layers", &pruning.layers, forget, userdata);
		sweep_unkept(store, "blobs/sha256", &pruning.blobs, NULL, NULL);
	}
	free(pruning.named.ids);
	free(pruning.layers.ids);
	free(pruning.blobs.ids);
	free(pruning.all.ids);
	return r;
}
