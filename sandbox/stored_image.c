/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/stored_image.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* Reads a regular file of the store, which another user may write. */
static int read_item(int store_fd, const char *path, size_t limit, char **ret_data,
		     size_t *ret_size)
{
	cleanup_close int fd = open_beneath(store_fd, path, O_RDONLY | O_NONBLOCK, 0);

	return fd < 0 ? fd : fd_read_file(fd, limit, ret_data, ret_size);
}

static int read_name(int store_fd, const char *name, char *id)
{
	char file[IMAGE_NAME_MAX + 1], path[IMAGE_NAME_MAX + 32];
	cleanup_free char *data = NULL;
	size_t size;

	if (!image_name_valid(name))
		return -ENOENT;
	image_name_file(name, file);
	(void)snprintf(path, sizeof(path), "oci/names/%s", file);
	if (read_item(store_fd, path, IMAGE_ID_SIZE, &data, &size) < 0 || !image_id_valid(data))
		return -ENOENT;
	memcpy(id, data, IMAGE_ID_SIZE);
	return 0;
}

static int hold_layers(const char *store, int store_fd, struct stored_image *image)
{
	for (size_t i = 0; i < image->record.n_layers; i++) {
		const char *layer = image->record.layers[i];
		char path[IMAGE_ID_SIZE + 16];
		int fd;

		(void)snprintf(path, sizeof(path), "layers/%s", layer);
		fd = open_beneath(store_fd, path, O_RDONLY | O_DIRECTORY, 0);
		/* locked until we exit: the pruning of images skips it */
		if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
			return -ENOENT;
		if (asprintf(&image->layers[i], "%s/layers/%s", store, layer) < 0)
			return -ENOMEM;
	}
	return 0;
}

int stored_image_find(const char *state_dir, const char *name, struct stored_image *image,
		      struct error *error)
{
	char store[4096], path[IMAGE_ID_SIZE + 16], complete[IMAGE_NAME_MAX + 16];
	char id[IMAGE_ID_SIZE];
	cleanup_close int store_fd = -1;
	size_t size;
	int r;

	if (snprintf(store, sizeof(store), "%s/images", state_dir) >= (int)sizeof(store))
		return error_set(error, ENAMETOOLONG, "the path of the images is too long");
	store_fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = store_fd < 0 ? -errno : 0;
	name = image_name_strip(name);
	image_name_default(name, complete, sizeof(complete));
	if (r == 0 && read_name(store_fd, name, id) < 0)
		r = read_name(store_fd, complete, id);
	if (r == 0) {
		(void)snprintf(path, sizeof(path), "oci/images/%s", id);
		r = read_item(store_fd, path, IMAGE_RECORD_MAX, &image->data, &size);
	}
	if (r == 0)
		r = image_record_parse(image->data, size, &image->record);
	if (r == 0)
		r = hold_layers(store, store_fd, image);
	if (r == -ENOENT)
		return error_set(
			error, ENOENT,
			"there is no directory and no image \"%.200s\": \"runbookctl image "
			"pull\" or \"image import\" brings one",
			name);
	return r < 0 ? error_errno(error, -r, "cannot use image \"%.200s\"", name) : 0;
}
