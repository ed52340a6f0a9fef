/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROJECT_FILE_H
#define CLI_PROJECT_FILE_H

/* projects.d/NAME.conf: what "project add" and an embedded instance write. */

#include "cli/text.h"
#include "common/error.h"

/** project_file_key() - append "Key=value"; a @value that INI cannot carry is -EINVAL with @error */
int project_file_key(struct text_buffer *file, const char *key, const char *value,
		     struct error *error);
/**
 * project_file_write() - put @file at ETC/projects.d/NAME.conf, mode 0600, all or nothing
 * @etc: paths.etc; directories are made as needed
 */
int project_file_write(const char *etc, const char *name, const struct text_buffer *file,
		       struct error *error);
/** project_secret_new() - 32 random bytes as hex into @out (65 bytes) */
int project_secret_new(char out[65], struct error *error);
/**
 * project_webhook_url() - where a forge reaches the instance
 * @etc, @run: paths of the instance
 *
 * [Daemon] PublicUrl= when it is configured, otherwise a guess from the address
 * that runbookd listens on and this host's name.
 */
void project_webhook_url(char *out, size_t size, const char *etc, const char *run,
			 const char *name);

#endif
