/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_REPORT_H
#define IMAGES_REPORT_H

/* The report of runbook-unpack; unpack.h says what is in it. */

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
	bool damaged;	     /* refused, since the packed bytes are not what was packed */
	int number;	     /* refused: errno value of the call that failed, 0: none */
};

/**
 * report_parse() - split what came out of the sandbox
 * @data: @size bytes; NUL-terminated behind them
 *
 * Return: 0, -EBADMSG when it is not whole or malformed, -ENOMEM.
 */
int report_parse(const char *data, size_t size, struct report *ret_report);
void report_clear(struct report *report);

#endif
