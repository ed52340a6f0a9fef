/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STATUS_READ_H
#define SANDBOX_STATUS_READ_H

/*
 * DOC: Reading the status of runbook-init
 *
 * The host's side of sandbox/status.h. The status comes from a process inside the sandbox, of
 * any version, so each field is checked.
 */

#include "sandbox/status.h"

#include <stdbool.h>

/**
 * status_parse() - parse the status that a runbook-init of any version wrote
 *
 * Return: 0; -EBADMSG and others of fields_unpack(), and then @status is all zero.
 */
int status_parse(const void *data, size_t size, struct sandbox_status *status);
/**
 * status_read() - peek into a status pipe, without waiting
 *
 * The data stays in the pipe, so that a successor can read it again if this process is killed
 * before it has stored the outcome. Return: false if there is no valid status.
 */
bool status_read(int status_fd, struct sandbox_status *status);

#endif
