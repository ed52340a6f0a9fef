/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

/*
 * DOC: Routes
 *
 * The table in routes.c has a line for each method and path of the HTTP API, with the
 * verb that is sent to another program, if any, and the handler. A path is matched part
 * by part. A part in braces is a name or a number and is checked here, so handlers get
 * valid ones only.
 */

#include "common/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct http_request;

/** struct route_match - the named parts of a path */
struct route_match {
	char project[PROJECT_NAME_MAX + 1];
	uint64_t run;
	char slug[STEP_SLUG_MAX + 1];
	char key[ARTIFACT_KEY_MAX + 1];
};

enum route_body {
	BODY_NONE,     /* for GET */
	BODY_JSON,     /* a small object, may be absent */
	BODY_SECRET,   /* an object with a sealed value in it */
	BODY_UPLOAD,   /* streamed into a file */
	BODY_ARTIFACT, /* streamed into a file without a limit here: the cacher has the limits */
};

/**
 * struct route - one line of the table
 * @handle: answers @request; called when its body has arrived
 */
struct route {
	const char *method;
	const char *pattern;
	enum route_body body;
	unsigned verb; /* enum api_verb, or enum image_verb for images */
	void (*handle)(struct http_request *request);
};

enum route_outcome {
	ROUTE_FOUND = 0,
	ROUTE_NOT_FOUND = 1,  /* 404 */
	ROUTE_NOT_METHOD = 2, /* 405: the path exists for another method */
	ROUTE_BAD_NAME = 3,   /* 400: a part of the path is not a valid name */
};

/**
 * route_match() - match @path against one pattern
 *
 * Return: ROUTE_FOUND, ROUTE_NOT_FOUND or ROUTE_BAD_NAME.
 */
enum route_outcome route_match(const char *pattern, const char *path,
			       struct route_match *ret_match);

/**
 * route_find() - find the line for @method and @path; HEAD is served as GET
 * @ret_allow: for ROUTE_NOT_METHOD: the methods of the path, valid in this thread until
 *             the next call
 */
enum route_outcome route_find(const char *method, const char *path, const struct route **ret_route,
			      struct route_match *ret_match, const char **ret_allow);

#endif
