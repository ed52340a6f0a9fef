/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HTTP_H
#define API_HTTP_H

/*
 * DOC: The HTTP server
 *
 * libmicrohttpd with a thread for each connection: there are few clients and
 * many of them wait for something. On a unix socket everybody who can connect
 * (the socket's group) may do everything, but for web pages, which reach it when
 * it is forwarded to a port for a browser: they may read, under a name of this
 * host. On TCP, where any web page in a
 * browser on this host can connect, only reading is possible, only under a
 * name of this host (DNS rebinding), and no answer is shared with other
 * origins.
 */

#include "api/hub.h"
#include "api/peers.h"
#include "api/routes.h"

#include <microhttpd.h>
#include <stdbool.h>

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
	int upload_fd; /* what was uploaded, -1 */
	uint64_t upload_size;
	bool uploading; /* counted among the uploads */
	bool answered;	/* a response is queued */
	enum MHD_Result result;
};

struct http_server;

/**
 * http_listen() - serve a listening socket
 * @address: as configured, for error texts
 * @fd:      owned by the server on success
 *
 * Return: 0 or -errno.
 */
int http_listen(struct api *api, const char *address, int fd, struct http_server **ret_server);
/** http_quiesce() - accept nothing any more; what is being served goes on */
void http_quiesce(struct http_server *server);

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

/** http_answer() - queue @response, which is released; common headers are added */
void http_answer(struct http_request *request, unsigned status, struct MHD_Response *response);
/** http_answer_json() - answer with @text, a JSON text of @size bytes that is freed */
void http_answer_json(struct http_request *request, unsigned status, char *text, size_t size);
/** http_answer_error() - {"error": sentence}. The sentence names the fix. */
void http_answer_error(struct http_request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** http_answer_lost() - the answer to a failed peer_call() */
void http_answer_lost(struct http_request *request, enum process_role role, int error);

/** struct question - arguments of API_REQUEST; strings may be NULL */
struct question {
	enum api_verb verb;
	const char *project;
	uint64_t run;
	const char *step;
	const char *ref;
	const char *commit;
	uint64_t after;
	uint64_t limit;
	int fd; /* -1: none */
};

/** question_message() - the API_REQUEST that asks it; NULL: no memory */
struct message *question_message(const struct question *question);

/**
 * api_reply_text() - what a peer answered: its JSON, or its sentence as {"error": …}
 *
 * Closes reply->fd. Return: status of HTTP or -errno.
 */
int api_reply_text(struct peer_reply *reply, char **ret_text, size_t *ret_size);

/**
 * api_ask() - ask the scheduler
 * @ret_text: JSON or error text; malloc'ed, NUL-terminated, freed by the caller
 * @ret_size: its bytes
 *
 * Return: status of HTTP, or -errno when there is no answer.
 */
int api_ask(struct api *api, const struct question *question, char **ret_text, size_t *ret_size);
/** http_answer_scheduler() - answer with what the scheduler says to @question */
void http_answer_scheduler(struct http_request *request, const struct question *question);

#endif
