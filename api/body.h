/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_BODY_H
#define API_BODY_H

#include "api/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** struct body_field - a member that the JSON object of a request may have */
struct body_field {
	const char *name;
	size_t max;	   /* bytes of a text */
	const char **text; /* where it goes; NULL: it is true or false, and goes to @flag */
	bool *flag;
};

/**
 * body_read() - the fields of a request's small JSON object; no body is an empty one
 * @fields:   what is absent or null is left as it was; texts are printable
 * @ret_body: holds the texts; the caller's to json_decref(), NULL without a body
 *
 * Return: true; false after an answer that names the field and what it takes.
 */
bool body_read(struct http_request *request, const struct body_field *fields, size_t n_fields,
	       json_t **ret_body);

#endif
