/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PAYLOAD_H
#define SCHEDULER_PAYLOAD_H

/* What the daemon hands a step: its command and its environment. */

#include "scheduler/model/scheduler.h"

/**
 * step_payload_fd() - command and environment of @step
 * @image:       NULL for "host"
 * @ret_mask_fd: what must not be seen in its log, for the caller to close; untouched when
 *               there is nothing
 *
 * Return: sealed memfd; -EEXIST when a secret is called like a variable, or
 * another -errno.
 */
int step_payload_fd(const struct step *step, const struct image_record *image, int *ret_mask_fd,
		    struct error *error);
/** step_container_id() - "<project>-<run>-<slug>-<attempt>" */
void step_container_id(const struct step *step, char *out, size_t size);

#endif
