/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_BODY_H
#define API_BODY_H

/*
 * DOC: Small JSON bodies
 *
 * The body of a command is a flat JSON object of texts and booleans. A handler lists the
 * fields that it accepts; body_read() stores their values and answers the request itself
 * when the body is malformed, has an unknown field or a value of the wrong type.
 */

#include "api/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** struct body_field - a member that the JSON object of a request may have */
struct body_field {
	const char *name;
	size_t max;	   /* bytes of a text */
	const char **text; /* destination of a text; NULL for a boolean */
	bool *flag;	   /* destination of a boolean */
};

/**
 * body_read() - read the fields of the request's JSON object
 * @fields:   the destination of a field that is absent or null is left unchanged; texts
 *            are printable
 * @ret_body: owns the texts; the caller releases it with json_decref(). NULL without a
 *            body, which counts as an empty object.
 *
 * Return: true; false after an answer that names the field and its allowed values.
 */
bool body_read(struct http_request *request, const struct body_field *fields, size_t n_fields,
	       json_t **ret_body);

#endif
