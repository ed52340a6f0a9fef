/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STATUS_READ_H
#define SANDBOX_STATUS_READ_H

/* The host's side of sandbox/status.h. */

#include "sandbox/status.h"

#include <stdbool.h>

/**
 * status_parse() - what a runbook-init of any version wrote
 *
 * Return: 0; -EBADMSG and others of fields_unpack(); @status is all zero then.
 */
int status_parse(const void *data, size_t size, struct sandbox_status *status);
/**
 * status_read() - look into a status pipe, without waiting
 *
 * What runbook-init wrote stays in the pipe: should this process be killed before it
 * has made use of it, its successor reads it again. Return: false when there is nothing.
 */
bool status_read(int status_fd, struct sandbox_status *status);

#endif
