/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_OCI_H
#define IMAGES_OCI_H

/*
 * What skopeo leaves: an OCI image layout of one image. Written by the registry
 * in the end, so everything is checked: sizes, digests, media types, that
 * manifest and configuration speak of the same layers.
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
 * oci_read() - the image in the layout @directory_fd, whose blobs are in @store
 *
 * Return: 0 or -errno with @error.
 */
int oci_read(struct store *store, int directory_fd, struct oci_image *ret_image,
	     struct error *error);
void oci_clear(struct oci_image *image);

/* ---- pieces, public for tests and the fuzz target ---- */

/** oci_parse_index() - the digest of the one manifest. @out: IMAGE_ID_SIZE bytes. */
int oci_parse_index(const char *text, size_t size, char *out, struct error *error);
/** oci_parse_manifest() - fills the layers' digests; @config: IMAGE_ID_SIZE bytes */
int oci_parse_manifest(const char *text, size_t size, struct oci_image *image, char *config,
		       struct error *error);
/** oci_parse_config() - fills the layers' ids and what the image says about commands */
int oci_parse_config(const char *text, size_t size, struct oci_image *image, struct error *error);

#endif
