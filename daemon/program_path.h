/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_PROGRAM_PATH_H
#define DAEMON_PROGRAM_PATH_H

/*
 * DOC: Where our other programs are
 *
 * In the directory of our own executable, so that a build tree uses the programs that it
 * built; otherwise in the directory where they are installed (RUNBOOK_LIBEXECDIR).
 */

#include "common/error.h"

/**
 * program_path_find() - path of the program called @program
 * @out: PATH_MAX bytes
 *
 * Return: 0; -ENOENT and other -errno with @error.
 */
int program_path_find(const char *program, char *out, struct error *error);

#endif
