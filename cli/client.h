/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

/*
 * DOC: Talking to runbook-api
 *
 * HTTP over the unix socket DIR/run/runbookd/api.sock. The api may be restarted
 * at any moment (refused connections, answers cut short, 503). A call that
 * changes nothing twice is repeated for CLIENT_RETRY_SEC; one that would (a new
 * run, a retry) is repeated only when the connection was never made. Streams are
 * not repeated here: their owner knows where to go on (an offset, an event id).
 */

#include "cli/cli.h"

#include <jansson.h>

#define CLIENT_RETRY_SEC 10
/* answers that are held in memory: a page of 200 runs, a run of 10,000 steps */
#define CLIENT_ANSWER_MAX (256UL * 1024 * 1024)

/** client_new() - @run_dir is paths.run; the socket is looked up at each call. NULL: no memory. */
struct client *client_new(const char *run_dir);
struct client *client_free(struct client *client);
/** client_socket() - path of the socket it talks to */
const char *client_socket(const struct client *client);

struct client_request {
	const char *method; /* NULL: GET */
	const char *path;   /* "/api/v1/…", already escaped */
	const char *body;   /* JSON, may be NULL */
	int body_fd;	    /* a file to send instead when body_fd_size > 0 */
	uint64_t body_fd_size;
	bool once;	   /* must not be repeated after it may have arrived */
	bool no_retry;	   /* ask once, for probes */
	const char *range; /* "0-99", may be NULL */
	int output_fd;	   /* where the body of a 2xx goes when to_file is set */
	bool to_file;
};

struct client_answer {
	long status;
	char *data; /* NUL-terminated */
	size_t size;
	json_t *json;	  /* when the answer is JSON */
	uint64_t written; /* bytes that went to output_fd */
};

#define CLIENT_ANSWER_INIT ((struct client_answer){0})
void client_answer_done(struct client_answer *answer);
#define cleanup_answer __attribute__((cleanup(client_answer_done)))

/**
 * client_call() - one request with the retries described above
 *
 * Return: CLI_OK for 2xx, otherwise the exit code with @error set to the
 * server's own sentence or to what to do about an unreachable daemon.
 */
enum cli_exit client_call(struct client *client, const struct client_request *request,
			  struct client_answer *answer, struct error *error);

/** client_get_json() - GET of a printf-style path; @ret_json is the caller's to json_decref() */
enum cli_exit client_get_json(struct client *client, json_t **ret_json, struct error *error,
			      const char *format, ...) __attribute__((format(printf, 4, 5)));
/** client_post_json() - POST of @body (may be NULL, is not consumed); @once as in client_request */
enum cli_exit client_post_json(struct client *client, json_t *body, bool once, json_t **ret_json,
			       struct error *error, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/** client_reachable() - does an api answer /healthz right now? No retries. */
bool client_reachable(struct client *client, struct error *error);

/** client_escape() - percent-encode for a path component or query; malloc'ed, NULL: no memory */
char *client_escape(const char *text);

/* ---- streams ---- */

/**
 * struct client_stream - an answer that is read as it arrives
 * @data:     called with each piece of a 2xx body
 * @finished: set when the transfer ended; then @status (0: no answer) and @broken
 *            (the connection was cut before the answer was whole) say how
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

/** client_stream_start() - @last_event_id > 0 is sent as Last-Event-ID. Return: 0 or -ENOMEM. */
int client_stream_start(struct client *client, struct client_stream *stream, const char *path,
			uint64_t last_event_id);
/** client_stream_header() - of the answer that @data has begun to give; NULL: it has none */
const char *client_stream_header(const struct client_stream *stream, const char *name);
/** client_stream_stop() - end the transfer and release it; a stopped one is left alone */
void client_stream_stop(struct client_stream *stream);
/**
 * client_wait() - let streams make progress
 * @fd:         also wait for this descriptor (-1: none)
 * @timeout_ms: at most this long
 *
 * Return: 1 when @fd is readable, 0 otherwise.
 */
int client_wait(struct client *client, int fd, int timeout_ms);

#endif
