/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROJECT_FILE_H
#define CLI_PROJECT_FILE_H

/*
 * DOC: Writing project files
 *
 * "project add" and embedded instances write the configuration of a project,
 * projects.d/NAME.conf. runbookd.conf(5) describes its format. A file is replaced as a whole,
 * and a value that the format cannot express is refused.
 */

#include "cli/text.h"
#include "common/error.h"

/** project_file_key() - append "Key=value". Return: 0; -EINVAL: INI cannot express @value. */
int project_file_key(struct text_buffer *file, const char *key, const char *value,
		     struct error *error);
/**
 * project_file_write() - replace ETC/projects.d/NAME.conf by @file atomically, mode 0600
 * @etc: paths.etc; directories are made as needed
 *
 * Return: 0 or -errno with @error.
 */
int project_file_write(const char *etc, const char *name, const struct text_buffer *file,
		       struct error *error);
/** project_secret_new() - write 32 random bytes in hex to @out. Return: 0 or -errno. */
int project_secret_new(char out[65], struct error *error);
/**
 * project_webhook_url() - the URL to which a forge delivers webhooks of project @name
 * @etc, @run: paths of the instance
 *
 * It begins with PublicUrl= of [Daemon] if that is configured, otherwise with a guess
 * from the address on which runbookd listens and the name of this host.
 */
void project_webhook_url(char *out, size_t size, const char *etc, const char *run,
			 const char *name);

#endif
