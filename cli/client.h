/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

/*
 * DOC: Requests to runbook-api
 *
 * The client sends HTTP requests over the unix socket DIR/run/runbookd/api.sock.
 * runbook-api may be restarted at any moment: connections are refused, answers are cut
 * short or have the status 503. So a call is repeated for CLIENT_RETRY_SEC. A call that
 * must not be executed twice (a new run, a retry) is repeated only if the request was
 * never sent. Streams are not repeated here, because only their owner knows where to go
 * on (an offset, the id of an event).
 */

#include "cli/cli.h"

#include <jansson.h>

#define CLIENT_RETRY_SEC 10
/* an answer in memory is at most this large: a page of 200 runs, a run of 10,000 steps */
#define CLIENT_ANSWER_MAX (256UL * 1024 * 1024)

/** client_new() - without a connection yet; @run_dir is paths.run. NULL: out of memory. */
struct client *client_new(const char *run_dir);
/** client_free() - after all streams were stopped. Return: NULL. */
struct client *client_free(struct client *client);
/** client_socket() - path of the api's socket */
const char *client_socket(const struct client *client);

struct client_request {
	const char *method; /* NULL: GET */
	const char *path;   /* "/api/v1/…", already escaped */
	const char *body;   /* JSON, may be NULL */
	int body_fd;	    /* if body_fd_size > 0: a file that is sent as the body */
	uint64_t body_fd_size;
	bool once;	   /* do not repeat it once it may have arrived */
	bool no_retry;	   /* a probe: never repeat it */
	const char *range; /* "0-99", may be NULL */
	int output_fd;	   /* if to_file is set: gets the body of a 2xx answer */
	bool to_file;
};

struct client_answer {
	long status;
	char *data; /* NUL-terminated */
	size_t size;
	json_t *json;	  /* NULL when the answer is not JSON */
	uint64_t written; /* bytes that were written to output_fd */
};

#define CLIENT_ANSWER_INIT ((struct client_answer){0})
/** client_answer_done() - free the contents of @answer */
void client_answer_done(struct client_answer *answer);
#define cleanup_answer __attribute__((cleanup(client_answer_done)))

/**
 * client_call() - one request, repeated as described above
 *
 * Return: CLI_OK for 2xx, otherwise the exit code, with the server's sentence in @error,
 * or what to do when the daemon is unreachable.
 */
enum cli_exit client_call(struct client *client, const struct client_request *request,
			  struct client_answer *answer, struct error *error);

/** client_get_json() - GET a printf-style path; the caller releases @ret_json (json_decref()) */
enum cli_exit client_get_json(struct client *client, json_t **ret_json, struct error *error,
			      const char *format, ...) __attribute__((format(printf, 4, 5)));
/** client_post_json() - POST @body (borrowed, may be NULL); @once as in struct client_request */
enum cli_exit client_post_json(struct client *client, json_t *body, bool once, json_t **ret_json,
			       struct error *error, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/** client_reachable() - does GET /healthz succeed now? It is not repeated. */
bool client_reachable(struct client *client, struct error *error);

/** client_escape() - percent-encode for a path component or query; malloc'ed, NULL: no memory */
char *client_escape(const char *text);

/* ---- streams ---- */

/**
 * struct client_stream - an answer that is processed as it arrives
 * @data:     called with each piece of a 2xx body
 * @finished: the transfer has ended; @status and @broken are valid now
 * @status:   HTTP status, 0 without an answer
 * @broken:   the connection was closed before the answer was complete
 */
struct client_stream {
	void (*data)(void *user, const char *data, size_t size);
	void *user;
	bool finished;
	bool broken;
	long status;
	void *easy;
	void *headers;
	struct client *client;
};

/** client_stream_start() - GET @path; @last_event_id > 0 is sent too. Return: 0 or -ENOMEM. */
int client_stream_start(struct client *client, struct client_stream *stream, const char *path,
			uint64_t last_event_id);
/** client_stream_header() - a header of the answer, after @data was called; NULL if it is absent */
const char *client_stream_header(const struct client_stream *stream, const char *name);
/** client_stream_stop() - end the transfer and free it; no-op if it was stopped */
void client_stream_stop(struct client_stream *stream);
/**
 * client_wait() - wait for data of any stream and process it
 * @fd:         wait for this descriptor, too (-1: none)
 * @timeout_ms: longest time to wait
 *
 * Return: 1 when @fd is readable, 0 otherwise.
 */
int client_wait(struct client *client, int fd, int timeout_ms);

#endif
