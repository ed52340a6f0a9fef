/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STORED_IMAGE_H
#define SANDBOX_STORED_IMAGE_H

/*
 * DOC: Images of runbookd's store
 *
 * runbook-sandbox runs a command in an image that runbookd has pulled, found by its name. It
 * only reads the store; runbook-image writes it.
 */

#include "common/error.h"
#include "common/image.h"

/** struct stored_image - an image whose layers are locked while this process lives */
struct stored_image {
	char *data; /* .record points into it */
	struct image_record record;
	char *layers[IMAGE_LAYERS_MAX]; /* paths, lowest first */
};

/**
 * stored_image_find() - look @name up in the store beneath @state_dir
 *
 * Checks the record again, like all data of an unprivileged process.
 *
 *
 * Return: 0; -ENOENT if it is not in the store; -errno; each with @error.
 */
int stored_image_find(const char *state_dir, const char *name, struct stored_image *ret_image,
		      struct error *error);

#endif
