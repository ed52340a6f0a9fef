/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_REPORT_H
#define IMAGES_REPORT_H

/* The report of runbook-unpack (unpack.h says what is in it), and names of users. */

#include "common/error.h"
#include "common/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct report - strings point into the parsed bytes */
struct report {
	const char *layer; /* its id */
	uint64_t bytes, entries;
	const char **opaque; /* malloc'ed list */
	size_t n_opaque;
	bool cut; /* the root hides what is below */
	const char *passwd, *group;
	const char *refusal; /* NULL: the layer is fine */
};

/**
 * report_parse() - split what came out of the sandbox
 * @data: @size bytes; NUL-terminated behind them
 *
 * Return: 0, -EBADMSG when it is not whole or malformed, -ENOMEM.
 */
int report_parse(const char *data, size_t size, struct report *ret_report);
void report_clear(struct report *report);

/**
 * user_resolve() - "name", "name:group", "uid", "uid:gid" or "" to numbers
 * @passwd, @group: files of the image, NULL: it has none
 *
 * Return: 0, or -EINVAL with @error.
 */
int user_resolve(const char *user, const char *passwd, const char *group, uint32_t *ret_uid,
		 uint32_t *ret_gid, struct error *error);

#endif
