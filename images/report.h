/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_REPORT_H
#define IMAGES_REPORT_H

/*
 * DOC: The report of runbook-unpack
 *
 * The service reads what runbook-unpack reports about a layer (unpack.h has the format). The
 * program handles foreign input, so its report may be wrong or cut off, and each item is checked.
 */

#include "common/error.h"
#include "common/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct report - strings point into the parsed bytes */
struct report {
	const char *layer; /* the layer's id */
	uint64_t bytes, entries;
	const char **opaque; /* malloc'ed list of directories */
	size_t n_opaque;
	bool cut;		    /* the layer's root is opaque: it hides all layers below */
	const char *passwd, *group; /* contents of the files; NULL: the layer has none */
	const char *refusal;	    /* why the layer is refused; NULL: it is not */
	bool damaged;		    /* refused because the packed bytes are damaged */
	int number;		    /* refused: errno value of the call that failed, 0: none */
};

/**
 * report_parse() - parse the output of the sandbox
 * @data: @size bytes and a NUL after them; must outlive @ret_report
 *
 * Return: 0, -EBADMSG when it is malformed or cut off, or -ENOMEM.
 */
int report_parse(const char *data, size_t size, struct report *ret_report);
/** report_clear() - release the list of opaque directories */
void report_clear(struct report *report);

#endif
