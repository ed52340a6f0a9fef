/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/names.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECT_TIMEOUT_SEC 5
#define ANSWER_TIMEOUT_SEC 60
#define PROBE_TIMEOUT_SEC 2
#define RETRY_PAUSE_MS 100

struct client {
	char socket[PATH_MAX];
	CURLM *multi;
};

struct client *client_new(const char *run_dir)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (size_t)snprintf(client->socket, sizeof(client->socket), "%s/api.sock", run_dir) >=
		    sizeof(client->socket) ||
	    !(client->multi = curl_multi_init())) {
		free(client);
		return NULL;
	}
	return client;
}

struct client *client_free(struct client *client)
{
	if (!client)
		return NULL;
	(void)curl_multi_cleanup(client->multi);
	free(client);
	return NULL;
}

const char *client_socket(const struct client *client)
{
	return client->socket;
}

void client_answer_done(struct client_answer *answer)
{
	free(answer->data);
	json_decref(answer->json);
	*answer = CLIENT_ANSWER_INIT;
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0), *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}

static CURL *client_easy(const struct client *client, const char *path)
{
	char url[URL_MAX * 2];
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	if ((size_t)snprintf(url, sizeof(url), "http://runbookd%s", path) >= sizeof(url) ||
	    curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket) != CURLE_OK) {
		curl_easy_cleanup(easy);
		return NULL;
	}
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* ignore $http_proxy */
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_SEC);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "runbookctl/" RUNBOOK_VERSION);
	return easy;
}

/* State and results of one attempt of a call. */
struct call {
	const struct client_request *request;
	struct client_answer *answer;
	CURL *easy;
	struct text_buffer body;
	uint64_t sent;
	int write_error;
	bool connected;
};

static size_t on_call_body(char *data, size_t size, size_t count, void *user)
{
	struct call *call = user;
	long status = 0;

	size *= count;
	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (call->request->to_file && status / 100 == 2) {
		call->write_error = -fd_write_all(call->request->output_fd, data, size);
		if (call->write_error != 0)
			return 0;
		call->answer->written += size;
		return size;
	}
	if (call->body.size + size > CLIENT_ANSWER_MAX)
		return 0;
	text_append(&call->body, data, size);
	return call->body.failed ? 0 : size;
}

static size_t read_call_body(char *data, size_t size, size_t count, void *user)
{
	struct call *call = user;
	size_t room = size * count;
	uint64_t left = call->request->body_fd_size - call->sent;
	ssize_t got;

	if (left < room)
		room = (size_t)left;
	got = pread(call->request->body_fd, data, room, (off_t)call->sent);
	if (got < 0)
		return CURL_READFUNC_ABORT;
	call->sent += (uint64_t)got;
	return (size_t)got;
}

/* Called right before the request is sent: from now on it may have arrived. */
static int call_about_to_send(void *user, char *remote, char *local, int remote_port,
			      int local_port)
{
	struct call *call = user;

	call->connected = true;
	return CURL_PREREQFUNC_OK;
}

static struct curl_slist *call_headers(const struct client_request *request)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

	if (request->body)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	else if (request->method && strcmp(request->method, "PUT") == 0)
		headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
	else if (request->body_fd_size > 0)
		headers = curl_slist_append(headers, "Content-Type: application/x-tar");
	return headers;
}

static void call_set_body(struct call *call)
{
	const struct client_request *request = call->request;

	if (!request->method)
		return;
	(void)curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
	if (request->body_fd_size > 0) {
		(void)curl_easy_setopt(call->easy, CURLOPT_READFUNCTION, read_call_body);
		(void)curl_easy_setopt(call->easy, CURLOPT_READDATA, call);
		(void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)request->body_fd_size);
	} else {
		(void)curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS,
				       request->body ? request->body : "");
	}
	if (strcmp(request->method, "POST") != 0)
		(void)curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Make one attempt. Return: curl's result; without an answer its status is 0. */
static CURLcode call_once(struct client *client, struct call *call)
{
	const struct client_request *request = call->request;
	struct curl_slist *headers;
	CURLcode code;

	call->easy = client_easy(client, request->path);
	if (!call->easy)
		return CURLE_OUT_OF_MEMORY;
	headers = call_headers(request);
	(void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_call_body);
	(void)curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	(void)curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, call_about_to_send);
	(void)curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
	if (request->range)
		(void)curl_easy_setopt(call->easy, CURLOPT_RANGE, request->range);
	if (request->no_retry) /* a probe must not hang when no process accepts connections */
		(void)curl_easy_setopt(call->easy, CURLOPT_TIMEOUT, (long)PROBE_TIMEOUT_SEC);
	else { /* a transfer may take any time as long as bytes arrive */
		(void)curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME,
				       (long)ANSWER_TIMEOUT_SEC);
	}
	call_set_body(call);
	code = curl_easy_perform(call->easy);
	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->answer->status);
	if (code != CURLE_OK && code != CURLE_WRITE_ERROR)
		call->answer->status = 0;
	curl_slist_free_all(headers);
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
	return code;
}

/* May this failure be temporary, and is it safe to repeat the request? */
static bool call_may_repeat(const struct call *call, CURLcode code)
{
	const struct client_request *request = call->request;

	if (request->no_retry || call->write_error != 0 || call->answer->written > 0)
		return false;
	if (code == CURLE_OK)
		return call->answer->status == 503 && !request->once;
	if (code == CURLE_WRITE_ERROR || code == CURLE_OUT_OF_MEMORY ||
	    code == CURLE_ABORTED_BY_CALLBACK)
		return false;
	return !call->connected || !request->once;
}

static enum cli_exit unreachable(const struct client *client, struct error *error)
{
	(void)error_set(error, ECONNREFUSED,
			"no runbookd answers at %s (start it with \"systemctl start runbookd\", or "
			"name its --root)",
			client->socket);
	return CLI_UNREACHABLE;
}

static enum cli_exit call_failed(const struct client *client, const struct call *call,
				 CURLcode code, struct error *error)
{
	if (call->write_error != 0) {
		(void)error_errno(error, call->write_error, "cannot write the output");
		return CLI_REFUSED;
	}
	if (code == CURLE_WRITE_ERROR) {
		(void)error_set(error, EFBIG, "the answer is larger than %lu MiB",
				CLIENT_ANSWER_MAX / (1024 * 1024));
		return CLI_REFUSED;
	}
	if (!call->connected)
		return unreachable(client, error);
	(void)error_set(
		error, EIO, "the connection to runbookd broke: %s%s", curl_easy_strerror(code),
		call->request->once ? " (it may have been accepted: \"runbookctl runs\" shows it)"
				    : " (try again)");
	return CLI_UNREACHABLE;
}

static enum cli_exit answer_failed(const struct client_answer *answer, struct error *error)
{
	const char *sentence = json_string_value(json_object_get(answer->json, "error"));
	char text[ERROR_TEXT_MAX / 2];

	if (sentence)
		text_escape(text, sizeof(text), sentence);
	else
		(void)snprintf(text, sizeof(text), "runbookd answered with HTTP status %ld",
			       answer->status);
	(void)error_set(error, EPROTO, "%s", text);
	if (answer->status == 404 || answer->status == 410)
		return CLI_NOT_FOUND;
	if (answer->status == 502 || answer->status == 503 || answer->status == 504)
		return CLI_UNREACHABLE;
	return CLI_REFUSED;
}

static void pause_ms(unsigned ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&pause, NULL);
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum cli_exit client_call(struct client *client, const struct client_request *request,
			  struct client_answer *answer, struct error *error)
{
	uint64_t deadline = monotonic_ms() + CLIENT_RETRY_SEC * 1000;
	struct call call = {.request = request, .answer = answer};
	CURLcode code;

	*answer = CLIENT_ANSWER_INIT;
	for (;;) {
		/* without a socket no daemon is running, so waiting is useless; a socket
		 * without permission gets a sentence of its own */
		if (access(client->socket, F_OK) < 0 && errno == ENOENT)
			return unreachable(client, error);
		if (access(client->socket, W_OK) < 0) {
			(void)error_set(error, EACCES,
					"not allowed to open %s (join the group that owns it, or "
					"use sudo)",
					client->socket);
			return CLI_REFUSED;
		}
		call.body.size = 0;
		call.sent = 0;
		call.connected = false;
		answer->status = 0;
		code = call_once(client, &call);
		if (!call_may_repeat(&call, code) || monotonic_ms() >= deadline)
			break;
		pause_ms(RETRY_PAUSE_MS);
	}
	answer->data = TAKE_PTR(call.body.data);
	answer->size = call.body.size;
	if (code != CURLE_OK)
		return call_failed(client, &call, code, error);
	if (answer->data && (answer->data[0] == '{' || answer->data[0] == '['))
		answer->json = json_loadb(answer->data, answer->size, 0, NULL);
	if (answer->status / 100 != 2)
		return answer_failed(answer, error);
	return CLI_OK;
}

static enum cli_exit call_json(struct client *client, const struct client_request *request,
			       json_t **ret_json, struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	enum cli_exit code = client_call(client, request, &answer, error);

	if (code != CLI_OK)
		return code;
	if (!json_is_object(answer.json)) {
		(void)error_set(error, EPROTO,
				"runbookd gave no JSON for %s (is it the same "
				"version as this runbookctl, " RUNBOOK_VERSION "?)",
				request->path);
		return CLI_REFUSED;
	}
	if (ret_json)
		*ret_json = TAKE_PTR(answer.json);
	return CLI_OK;
}

__attribute__((format(printf, 3, 0))) static int
format_path(char *out, size_t size, const char *format, va_list list, struct error *error)
{
	int length = vsnprintf(out, size, format, list);

	if (length < 0 || (size_t)length >= size)
		return error_set(error, ENAMETOOLONG, "the arguments are too long");
	return 0;
}

enum cli_exit client_get_json(struct client *client, json_t **ret_json, struct error *error,
			      const char *format, ...)
{
	char path[URL_MAX];
	va_list list;
	int result;

	va_start(list, format);
	result = format_path(path, sizeof(path), format, list, error);
	va_end(list);
	if (result < 0)
		return CLI_USAGE;
	return call_json(client, &(struct client_request){.path = path}, ret_json, error);
}

enum cli_exit client_post_json(struct client *client, json_t *body, bool once, json_t **ret_json,
			       struct error *error, const char *format, ...)
{
	cleanup_free char *text = NULL;
	char path[URL_MAX];
	va_list list;
	int result;

	va_start(list, format);
	result = format_path(path, sizeof(path), format, list, error);
	va_end(list);
	if (result < 0)
		return CLI_USAGE;
	text = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");
	if (!text) {
		(void)error_set(error, ENOMEM, "out of memory");
		return CLI_REFUSED;
	}
	return call_json(client,
			 &(struct client_request){
				 .method = "POST", .path = path, .body = text, .once = once},
			 ret_json, error);
}

bool client_reachable(struct client *client, struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.path = "/healthz", .no_retry = true};

	return client_call(client, &request, &answer, error) == CLI_OK;
}

static size_t on_stream_bytes(char *data, size_t size, size_t count, void *user)
{
	struct client_stream *stream = user;

	size *= count;
	(void)curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &stream->status);
	if (stream->status / 100 == 2)
		stream->data(stream->user, data, size);
	return size;
}

int client_stream_start(struct client *client, struct client_stream *stream, const char *path,
			uint64_t last_event_id)
{
	char header[64];

	stream->client = client;
	stream->finished = false;
	stream->broken = false;
	stream->status = 0;
	stream->headers = NULL;
	stream->easy = client_easy(client, path);
	if (!stream->easy)
		return -ENOMEM;
	if (last_event_id > 0) {
		(void)snprintf(header, sizeof(header), "Last-Event-ID: %" PRIu64, last_event_id);
		stream->headers = curl_slist_append(NULL, header);
		(void)curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers);
	}
	(void)curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, on_stream_bytes);
	(void)curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
	(void)curl_easy_setopt(stream->easy, CURLOPT_PRIVATE, stream);
	if (curl_multi_add_handle(client->multi, stream->easy) != CURLM_OK) {
		client_stream_stop(stream);
		return -ENOMEM;
	}
	return 0;
}

const char *client_stream_header(const struct client_stream *stream, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(stream->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK
		       ? header->value
		       : NULL;
}

void client_stream_stop(struct client_stream *stream)
{
	if (!stream->easy)
		return;
	(void)curl_multi_remove_handle(stream->client->multi, stream->easy);
	curl_easy_cleanup(stream->easy);
	curl_slist_free_all(stream->headers);
	stream->easy = NULL;
	stream->headers = NULL;
}

int client_wait(struct client *client, int fd, int timeout_ms)
{
	struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
	int running, left;
	CURLMsg *message;

	(void)curl_multi_perform(client->multi, &running);
	(void)curl_multi_poll(client->multi, &extra, fd >= 0 ? 1 : 0, timeout_ms, NULL);
	(void)curl_multi_perform(client->multi, &running);
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct client_stream *stream = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&stream);
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE,
					&stream->status);
		stream->broken = message->data.result != CURLE_OK;
		stream->finished = true;
	}
	return fd >= 0 && (extra.revents & CURL_WAIT_POLLIN) ? 1 : 0;
}
