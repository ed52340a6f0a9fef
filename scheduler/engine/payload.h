/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PAYLOAD_H
#define SCHEDULER_PAYLOAD_H

/*
 * DOC: The payload of an order
 *
 * The command line and environment of a step go to the daemon in a sealed memfd that root never
 * reads; a second memfd has the secret values that the daemon must mask in the log.
 */

#include "scheduler/model/scheduler.h"

/**
 * step_payload_fd() - make the command and environment of @step
 * @image:       NULL for "host"
 * @ret_mask_fd: values to mask in the log, for the caller to close; untouched when there are none
 *
 * Return: sealed memfd; -EEXIST when a secret has the name of a variable, or another -errno.
 */
int step_payload_fd(const struct step *step, const struct image_record *image, int *ret_mask_fd,
		    struct error *error);
/** step_container_id() - "<project>-<run>-<slug>-<attempt>", the name of the sandbox */
void step_container_id(const struct step *step, char *out, size_t size);

#endif
