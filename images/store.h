/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

/*
 * DOC: What runbook-image keeps, beneath <store>/oci
 *
 *   images/<id>        one record each, see common/image.h
 *   names/<name>       the id that a name stands for ('/' written as '+')
 *   scopes/<name>      whose runs may use that id, see images/scope.h
 *   layers/<layer>     what the unpacker found out about a layer
 *   blobs/sha256/<d>   what was downloaded, each blob once
 *   tmp/               pulls that are under way; emptied at a start
 *   lock               shared by who adds, exclusive by who prunes
 *
 * Every file is replaced as a whole, so that a reader or a crash sees old or
 * new. A name is written last: what it stands for is complete.
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

/** struct store_layer - what is known of an unpacked layer; texts are malloc'ed or NULL */
struct store_layer {
	uint64_t bytes, entries;
	bool cut; /* hides everything below */
	char *passwd, *group;
};

/** store_open() - @path is <store>/oci. Makes what is missing. Return: 0 or -errno with @error. */
int store_open(struct store *store, const char *path, struct error *error);
/** store_close() - a closed one is left alone */
void store_close(struct store *store);
/** store_sweep() - remove what a killed predecessor was working on */
void store_sweep(struct store *store);
/** store_lock() - shared, or exclusive without waiting. Return: 0 or -EWOULDBLOCK. */
int store_lock(struct store *store, bool exclusive);
void store_unlock(struct store *store);

/** store_image_put() - Return: 0 or -errno */
int store_image_put(struct store *store, const struct image_record *record);
/**
 * store_image_get() - read the record of @id
 * @ret_data: malloc'ed, holds the strings of @ret_record
 *
 * Return: 0, -ENOENT, -EBADMSG or -errno.
 */
int store_image_get(struct store *store, const char *id, char **ret_data, size_t *ret_size,
		    struct image_record *ret_record);
/** store_name_put() - Return: 0 or -errno */
int store_name_put(struct store *store, const char *name, const char *id);
/** store_name_get() - @id: IMAGE_ID_SIZE bytes. Return: 0 or -ENOENT. */
int store_name_get(struct store *store, const char *name, char *id);
/** store_name_remove() - Return: 0 or -errno */
int store_name_remove(struct store *store, const char *name);

/** store_each_image(), store_each_name() - visit all; a visit < 0 ends it. Return: 0 or -errno. */
int store_each_image(struct store *store,
		     int (*visit)(void *userdata, const struct image_record *record,
				  const char *data, size_t size),
		     void *userdata);
int store_each_name(struct store *store,
		    int (*visit)(void *userdata, const char *name, const char *id), void *userdata);

/** store_layer_put() - Return: 0 or -errno */
int store_layer_put(struct store *store, const char *layer, const struct store_layer *facts);
/** store_layer_get() - Return: 0, -ENOENT or -EBADMSG */
int store_layer_get(struct store *store, const char *layer, struct store_layer *ret_facts);
void store_layer_clear(struct store_layer *facts);

/** store_blob_open() - Return: fd or -errno */
int store_blob_open(struct store *store, const char *digest);
/** store_blob_remove() - one that turned out to be damaged */
void store_blob_remove(struct store *store, const char *digest);

/**
 * store_prune() - remove images without a name, and what no image has any more
 * @forget:      called with each layer that the daemon may remove
 * @ret_images:  how many images went
 *
 * Return: 0 or -errno.
 */
int store_prune(struct store *store, void (*forget)(void *userdata, const char *layer),
		void *userdata, uint64_t *ret_images);

#endif
