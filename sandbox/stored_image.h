/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STORED_IMAGE_H
#define SANDBOX_STORED_IMAGE_H

/* Images of runbookd's store, for runbook-sandbox: by name, as steps have them. */

#include "common/error.h"
#include "common/image.h"

/** struct stored_image - one that is held: its layers stay while this process lives */
struct stored_image {
	char *data; /* what the record points into */
	struct image_record record;
	char *layers[IMAGE_LAYERS_MAX]; /* paths, the lowest first */
};

/**
 * stored_image_find() - look @name up in the store beneath @state_dir
 *
 * What runbook-image wrote is checked again, as everything that an unprivileged
 * process says.
 *
 * Return: 0; -ENOENT or -errno with @error.
 */
int stored_image_find(const char *state_dir, const char *name, struct stored_image *ret_image,
		      struct error *error);

#endif
