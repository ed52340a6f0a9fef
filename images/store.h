/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

/*
 * DOC: The files of runbook-image, beneath <store>/oci
 *
 *   images/<id>        one record for each image, see common/image.h
 *   names/<name>       the id of the image with that name ('/' is written as '+')
 *   scopes/<name>      the runs that may use that image, see images/scope.h
 *   layers/<layer>     facts that the unpacker reported about a layer
 *   blobs/sha256/<d>   downloaded blobs, each once
 *   tmp/               directories of current pulls; emptied at start
 *   lock               locked shared to add images, exclusive to prune
 *
 * Every file is replaced as a whole, so that readers and crashes see the old or the new one. The
 * name of an image is written last, so that a named image is always complete. The unpacked layers
 * themselves are not here: runbookd owns them, and this process cannot enter them.
 */

#include "common/error.h"
#include "common/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
	int fd; /* the directory */
	int lock_fd;
};
#define STORE_NULL ((struct store){.fd = -1, .lock_fd = -1})

/** struct store_layer - facts about an unpacked layer; texts are malloc'ed or NULL */
struct store_layer {
	uint64_t bytes, entries;
	bool cut; /* its root is opaque: it hides all layers below */
	char *passwd, *group;
};

/** store_open() - open @path, <store>/oci; create what is missing. Return: 0, or -errno. */
int store_open(struct store *store, const char *path, struct error *error);
/** store_close() - close the descriptors; does nothing to a closed store */
void store_close(struct store *store);
/** store_sweep() - empty tmp/ of the pulls of a killed process; skipped while another one runs */
void store_sweep(struct store *store);
/** store_lock() - shared, or exclusive without waiting. Return: 0 or -EWOULDBLOCK. */
int store_lock(struct store *store, bool exclusive);
/** store_unlock() - release the lock */
void store_unlock(struct store *store);

/** store_image_put() - write the record of an image. Return: 0, or -errno (-E2BIG: too large). */
int store_image_put(struct store *store, const struct image_record *record);
/**
 * store_image_get() - read the record of @id
 * @ret_data: malloc'ed; the strings of @ret_record point into it
 *
 * Return: 0, -ENOENT, -EBADMSG or -errno.
 */
int store_image_get(struct store *store, const char *id, char **ret_data, size_t *ret_size,
		    struct image_record *ret_record);
/** store_name_put() - let @name stand for image @id. Return: 0 or -errno. */
int store_name_put(struct store *store, const char *name, const char *id);
/** store_name_get() - image of @name. @id: room for IMAGE_ID_SIZE bytes. Return: 0 or -ENOENT. */
int store_name_get(struct store *store, const char *name, char *id);
/** store_name_remove() - remove @name; its image stays until store_prune(). Return: 0 or -errno. */
int store_name_remove(struct store *store, const char *name);

/** store_each_image() - call @visit for each record; a result < 0 ends it. Return: 0 or -errno. */
int store_each_image(struct store *store,
		     int (*visit)(void *userdata, const struct image_record *record,
				  const char *data, size_t size),
		     void *userdata);
/** store_each_name() - the same for each name */
int store_each_name(struct store *store,
		    int (*visit)(void *userdata, const char *name, const char *id), void *userdata);

/** store_layer_put() - write the facts about a layer. Return: 0 or -errno. */
int store_layer_put(struct store *store, const char *layer, const struct store_layer *facts);
/** store_layer_get() - read them; store_layer_clear() is due. Return: 0, -ENOENT or -EBADMSG. */
int store_layer_get(struct store *store, const char *layer, struct store_layer *ret_facts);
/** store_layer_clear() - free the texts */
void store_layer_clear(struct store_layer *facts);

/** store_blob_open() - open a blob for reading. Return: fd or -errno. */
int store_blob_open(struct store *store, const char *digest);
/** store_blob_remove() - remove a damaged blob, so that the next pull downloads it again */
void store_blob_remove(struct store *store, const char *digest);

/**
 * store_prune() - remove images without a name, and layers and blobs that no other image has
 * @forget:      called with each layer that runbookd may remove
 * @ret_images:  how many images were removed
 *
 * Return: 0 or -errno.
 */
int store_prune(struct store *store, void (*forget)(void *userdata, const char *layer),
		void *userdata, uint64_t *ret_images);

#endif
