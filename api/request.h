/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

/* One HTTP request, as the handlers see it. */

#include "api/hub.h"
#include "api/peers.h"
#include "api/routes.h"

#include <microhttpd.h>
#include <stdbool.h>

#define HTTP_IDLE_SEC 120 /* a connection that is silent for so long is closed */

/** struct api - what handlers use */
struct api {
	struct peers *peers;
	struct hub *hub;
	int log_fd;    /* directory of step logs */
	int upload_fd; /* directory for uploads, -1: memory is used */
};

/** struct http_request - one request; lives until its answer is sent */
struct http_request {
	struct api *api;
	struct MHD_Connection *connection;
	bool local; /* came by a unix socket */
	const struct route *route;
	struct route_match match;
	char *body;
	size_t body_size;
	size_t unread_size; /* bytes of a body that was not asked for */
	int upload_fd;	    /* what was uploaded, -1 */
	uint64_t upload_size;
	bool uploading; /* counted among the uploads */
	bool answered;	/* a response is queued */
	enum MHD_Result result;
};

/** http_argument() - value of a query argument, NULL when absent */
const char *http_argument(struct http_request *request, const char *name);
/** http_header() - value of a request header, NULL when absent */
const char *http_header(struct http_request *request, const char *name);

/**
 * http_stream_alive() - for streams that wait for something to send
 *
 * libmicrohttpd looks neither at the socket nor at the clock while a stream's
 * callback waits: it would keep a client that has left, and drop one because
 * the stream was quiet. Called between waits, this tells the first and
 * prevents the second. Return: whether the client is still there.
 */
bool http_stream_alive(struct MHD_Connection *connection);

#endif
