/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_OCI_H
#define IMAGES_OCI_H

/*
 * DOC: OCI image layouts
 *
 * skopeo leaves a directory with one image in the OCI image layout (image-spec, image-layout.md).
 * Its contents come from the registry and are hostile input, so everything is checked: sizes,
 * digests, media types, and that manifest and configuration list the same number of layers.
 */

#include "common/error.h"
#include "common/image.h"
#include "images/store.h"

struct oci_layer {
	char digest[IMAGE_ID_SIZE]; /* as downloaded */
	char id[IMAGE_ID_SIZE];	    /* of the tar inside */
};

struct oci_image {
	char id[IMAGE_ID_SIZE]; /* digest of its configuration */
	char manifest[IMAGE_ID_SIZE];
	struct oci_layer *layers;
	size_t n_layers;
	char **env;
	size_t n_env;
	char *workdir, *user;
};

/**
 * oci_read() - read the image in the layout @directory_fd, whose blobs are in @store
 * @ret_image: released with oci_clear()
 *
 * Return: 0, or -errno with @error set.
 */
int oci_read(struct store *store, int directory_fd, struct oci_image *ret_image,
	     struct error *error);
/** oci_clear() - release the memory of an image */
void oci_clear(struct oci_image *image);

/* ---- parts of oci_read(), public for tests; each returns 0, or -errno with @error set ---- */

/** oci_parse_index() - the digest of the only manifest. @out: room for IMAGE_ID_SIZE bytes. */
int oci_parse_index(const char *text, size_t size, char *out, struct error *error);
/** oci_parse_manifest() - set the layers' digests. @config: room for IMAGE_ID_SIZE bytes. */
int oci_parse_manifest(const char *text, size_t size, struct oci_image *image, char *config,
		       struct error *error);
/** oci_parse_config() - set the layers' ids, and environment, directory and user of commands */
int oci_parse_config(const char *text, size_t size, struct oci_image *image, struct error *error);

#endif
