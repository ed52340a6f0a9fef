/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

/*
 * DOC: One HTTP request
 *
 * http.c makes a struct http_request when the first line and the headers have arrived,
 * fills in its route and body, and calls the handler of the route with it. One thread
 * serves a connection, so a request needs no lock.
 */

#include "api/hub.h"
#include "api/peers.h"
#include "api/routes.h"

#include <microhttpd.h>
#include <stdbool.h>

#define HTTP_IDLE_SEC 120 /* a connection without traffic is closed after this time */

/** struct api - the program's objects that handlers use; shared by all threads */
struct api {
	struct peers *peers;
	struct hub *hub;
	int log_fd;    /* directory of step logs */
	int upload_fd; /* directory for uploads; -1: they are stored in memory */
};

/** struct http_request - one request; freed when its answer was sent */
struct http_request {
	struct api *api;
	struct MHD_Connection *connection;
	bool local; /* received on a unix socket */
	const struct route *route;
	struct route_match match;
	char *body;
	size_t body_size;
	size_t unread_size; /* bytes of a body that the route does not use */
	int upload_fd;	    /* file with the uploaded body, or -1 */
	uint64_t upload_size;
	bool uploading; /* counted in UPLOADS_AT_ONCE */
	bool answered;	/* a response is queued */
	enum MHD_Result result;
};

/** http_argument() - value of a query argument, NULL when absent */
const char *http_argument(struct http_request *request, const char *name);
/** http_header() - value of a request header, NULL when absent */
const char *http_header(struct http_request *request, const char *name);

/**
 * http_stream_alive() - to be called by a stream while it waits for data to send
 *
 * libmicrohttpd checks neither the socket nor the time while the callback of a stream
 * waits. Afterwards it would go on serving a client that has left, and would drop one
 * because the stream was silent for HTTP_IDLE_SEC. This function restarts the timeout.
 *
 * Return: whether the client is still connected.
 */
bool http_stream_alive(struct MHD_Connection *connection);

#endif
