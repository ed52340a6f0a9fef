/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_PROGRAM_PATH_H
#define DAEMON_PROGRAM_PATH_H

#include "common/error.h"

/**
 * program_path_find() - path of one of our programs
 * @out: PATH_MAX bytes; beside our own executable first, so that a checkout
 *       uses what it has built, then the installed place
 *
 * Return: 0 or -errno with @error.
 */
int program_path_find(const char *program, char *out, struct error *error);

#endif
