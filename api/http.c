/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http.h"

#include "api/answer.h"
#include "api/range.h"
#include "api/upload.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define HTTP_CONNECTION_MEMORY (32 * KIB) /* request line and headers */
#define HTTP_THREAD_STACK (256 * KIB)

struct http_server {
	struct api *api;
	struct MHD_Daemon *daemon;
	bool local;
};

/* ---- requests ---- */

/*
 * Is @host a name of this host? After DNS rebinding the browser still sends the
 * attacker's name.
 */
static bool host_is_local(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; host && i < ARRAY_SIZE(names); i++) {
		size_t length = strlen(names[i]);
		uint64_t port;

		if (strncasecmp(host, names[i], length) != 0)
			continue;
		if (!host[length] ||
		    (host[length] == ':' && parse_number(host + length + 1, &port) == 0))
			return true;
	}
	return false;
}

struct length_headers {
	unsigned lengths, encodings;
};

static enum MHD_Result count_length(void *userdata, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct length_headers *seen = userdata;

	seen->lengths += strcasecmp(name, "Content-Length") == 0;
	seen->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

/*
 * A unix socket may be forwarded to a port for a browser (ssh -L), and then any web page can
 * make the browser send requests to it. A rebound name has a dot in it, and a browser sends an
 * Origin with every request that is not a plain read.
 */
static bool check_forwarded(struct http_request *request, bool reads)
{
	const char *host = http_header(request, "Host");

	if (host && strpbrk(host, ".[") && !host_is_local(host)) {
		http_answer_error(request, 403,
				  "a forwarded socket serves the names localhost, 127.0.0.1 and "
				  "[::1] only: use one of them");
		return false;
	}
	if (!reads && http_header(request, "Origin")) {
		http_answer_error(request, 403,
				  "web pages may only read: use runbookctl to change something");
		return false;
	}
	return true;
}

/* Answers and returns false when the request is refused. */
static bool check_safe(struct http_request *request, const char *method)
{
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	struct length_headers seen = {0};

	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_length, &seen);
	if (seen.lengths > 1 || seen.encodings > 1 || (seen.lengths && seen.encodings)) {
		http_answer_error(request, 400,
				  "the length of the body is given twice: send one "
				  "Content-Length or one Transfer-Encoding");
		return false;
	}
	if (request->local)
		return check_forwarded(request, reads);
	if (!host_is_local(http_header(request, "Host"))) {
		http_answer_error(request, 403,
				  "this address serves the names localhost, 127.0.0.1 and [::1] "
				  "only: use one of them");
		return false;
	}
	if (!reads) {
		http_answer_error(request, 403,
				  "this address is for reading: use runbookctl, or the unix socket "
				  "api.sock");
		return false;
	}
	return true;
}

static bool media_type_is(const char *value, const char *type)
{
	size_t length = strlen(type);

	return value && strncasecmp(value, type, length) == 0 &&
	       (value[length] == '\0' || value[length] == ';' || value[length] == ' ');
}

static size_t body_max(const struct http_request *request)
{
	return request->route->body == BODY_SECRET ? SECRET_BODY_MAX : API_BODY_MAX;
}

/* Check what the header announces about the body. Answers and returns false if it is refused. */
static bool check_body(struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");
	const char *type = http_header(request, "Content-Type");
	bool upload = request->route->body == BODY_UPLOAD || request->route->body == BODY_ARTIFACT;
	uint64_t limit = upload ? upload_max(request) : body_max(request);
	uint64_t size = 0;

	if (length && parse_number(length, &size) < 0) {
		http_answer_error(request, 400, "Content-Length is not a number");
		return false;
	}
	if (size > limit) {
		http_answer_error(request, 413, "the body is larger than %llu bytes",
				  (unsigned long long)limit);
		return false;
	}
	if (upload)
		return upload_begin(request, size);
	/* a form on a web page cannot send this type */
	if ((size || http_header(request, "Transfer-Encoding")) &&
	    !media_type_is(type, "application/json")) {
		http_answer_error(request, 415, "send Content-Type: application/json");
		return false;
	}
	return true;
}

/* All checks that need no body. A refused request is answered, and its body is not read. */
static void request_begin(struct http_request *request, const char *method, const char *url)
{
	const char *allow = NULL;

	if (!check_safe(request, method))
		return;
	switch (route_find(method, url, &request->route, &request->match, &allow)) {
	case ROUTE_FOUND:
		if (request->route->body != BODY_NONE)
			(void)check_body(request);
		return;
	case ROUTE_NOT_METHOD: {
		static const char text[] = "{\"error\":\"this path has other methods\"}";
		struct MHD_Response *response = MHD_create_response_from_buffer(
			strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);

		if (response) {
			(void)MHD_add_response_header(response, "Allow", allow);
			(void)MHD_add_response_header(response, "Content-Type", "application/json");
		}
		http_answer(request, 405, response);
		return;
	}
	case ROUTE_BAD_NAME:
		http_answer_error(request, 400, "a part of this path is not a valid name");
		return;
	default:
		http_answer_error(request, 404,
				  "nothing is served at this path: see /api/v1/status");
	}
}

/* Append a part of the body. Return: false when it is too long, or without memory. */
static bool body_take(struct http_request *request, const char *data, size_t size)
{
	char *grown;

	if (request->body_size + size > body_max(request))
		return false;
	grown = realloc(request->body, request->body_size + size + 1);
	if (!grown)
		return false;
	request->body = grown;
	memcpy(request->body + request->body_size, data, size);
	request->body_size += size;
	request->body[request->body_size] = '\0';
	return true;
}

/* Callback of libmicrohttpd: called for the head, for each part of the body, and at its end. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *data, size_t *size, void **context)
{
	struct http_server *server = userdata;
	struct http_request *request = *context;
	bool taken;

	if (!request) {
		request = calloc(1, sizeof(*request));
		if (!request)
			return MHD_NO;
		request->api = server->api;
		request->connection = connection;
		request->local = server->local;
		request->upload_fd = -1;
		request->result = MHD_YES;
		*context = request;
		request_begin(request, method, url);
		return request->result;
	}
	if (request->answered)
		return MHD_YES;
	if (*size > 0) {
		/* no answer can be queued in this callback: a body that is too long hangs up */
		switch (request->route->body) {
		case BODY_UPLOAD:
		case BODY_ARTIFACT:
			taken = upload_take(request, data, *size);
			break;
		case BODY_JSON:
		case BODY_SECRET:
			taken = body_take(request, data, *size);
			break;
		default:
			/* the body of a GET is ignored, but it has the same limit */
			request->unread_size += *size;
			taken = request->unread_size <= API_BODY_MAX;
			break;
		}
		*size = 0;
		return taken ? MHD_YES : MHD_NO;
	}
	request->route->handle(request);
	return request->result;
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *context;

	if (!request)
		return;
	upload_end(request);
	free(request->body);
	free(request);
	*context = NULL;
}

/* ---- servers ---- */

static void on_log(void *userdata, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void on_log(void *userdata, const char *format, va_list arguments)
{
	char text[512];

	(void)vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

int http_listen(struct api *api, const char *address, int fd, struct http_server **ret_server)
{
	struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof(name);

	if (!server)
		return -ENOMEM;
	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
		free(server);
		return -errno;
	}
	server->api = api;
	server->local = name.ss_family == AF_UNIX;
	server->daemon = MHD_start_daemon(
		MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
			MHD_USE_ITC | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)API_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_IDLE_SEC, MHD_OPTION_THREAD_STACK_SIZE, (size_t)HTTP_THREAD_STACK,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	if (!server->daemon) {
		log_error("cannot serve %s", address);
		free(server);
		return -EIO;
	}
	log_info("serving %s%s", address, server->local ? "" : ", for reading");
	*ret_server = server;
	return 0;
}

void http_quiesce(struct http_server *server)
{
	int fd = MHD_quiesce_daemon(server->daemon);

	/* its threads go on serving connections, so @server is not freed */
	if (fd >= 0)
		(void)close(fd);
}
