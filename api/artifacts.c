/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: Artifacts
 *
 * The cacher stores artifacts compressed. For a download it sends the descriptor of a
 * file, or of a pipe where it has to decompress; a client that accepts zstd
 * (Accept-Encoding) gets the stored file as it is. An upload is first stored as a file
 * in the directory of uploads, and the cacher copies it under the same limits and rules
 * as an artifact of a step. An artifact can be uploaded in any state of its run, as long
 * as the run exists.
 */

#include "api/handlers.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/run_facts.h"
#include "common/cleanup.h"
#include "common/json_writer.h"
#include "common/messages/artifacts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define PIPE_BLOCK (64 * KIB)

void handle_artifacts(struct http_request *request)
{
	char project[PROJECT_NAME_MAX + 1];
	struct MHD_Response *response = NULL;
	struct peer_reply reply;
	struct stat status;

	if (!run_project(request, project))
		return;
	if (!ask_peer(request, ROLE_CACHER,
		      MESSAGE_NEW(artifact_list, 0, .project = project, .run = request->match.run),
		      PEER_DEADLINE_USEC, &reply))
		return;
	if (reply.status != 200 || reply.fd < 0 || fstat(reply.fd, &status) < 0) {
		if (reply.fd >= 0)
			(void)close(reply.fd);
		http_answer_error(request, 500, "the list of artifacts cannot be read");
		return;
	}
	response = MHD_create_response_from_fd64((uint64_t)status.st_size, reply.fd);
	if (response)
		(void)MHD_add_response_header(response, "Content-Type", "application/json");
	else
		(void)close(reply.fd);
	http_answer(request, 200, response);
}

/* A key has only letters, digits and ._-/ so the file name needs no quoting. */
static void add_download_headers(struct MHD_Response *response, const char *key, bool directory)
{
	const char *slash = strrchr(key, '/');
	char disposition[ARTIFACT_KEY_MAX + 64];

	(void)snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s%s\"",
		       slash ? slash + 1 : key, directory ? ".tar" : "");
	(void)MHD_add_response_header(response, "Content-Disposition", disposition);
	(void)MHD_add_response_header(response, "Content-Type",
				      directory ? "application/x-tar" : "application/octet-stream");
	(void)MHD_add_response_header(response, "Runbook-Artifact-Kind",
				      directory ? "directory" : "file");
}

/* Does the client accept zstd? "zstd;q=0" means that it does not (RFC 9110, 12.5.3). */
static bool takes_zstd(struct http_request *request)
{
	const char *text = http_header(request, "Accept-Encoding");

	while (text && *text) {
		size_t length = strcspn(text, ",");
		size_t name = strcspn(text, " ;,\t");

		if (name == strlen("zstd") && strncasecmp(text, "zstd", name) == 0) {
			char parameters[64];

			(void)snprintf(parameters, sizeof(parameters), "%.*s", (int)(length - name),
				       text + name);
			return !strstr(parameters, "q=0") ||
			       strpbrk(strstr(parameters, "q=0"), "123456789");
		}
		text += length;
		text += strspn(text, ", \t");
	}
	return false;
}

struct pipe_body {
	int fd;
	uint64_t left;
};

/* The pipe ends early when the cacher fails; the answer is then cut short, too. */
static ssize_t pipe_read(void *userdata, uint64_t position, char *buffer, size_t max)
{
	struct pipe_body *body = userdata;
	ssize_t n;

	if (max > body->left)
		max = (size_t)body->left;
	do
		n = read(body->fd, buffer, max);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	body->left -= (uint64_t)n;
	return n;
}

static void pipe_free(void *userdata)
{
	struct pipe_body *body = userdata;

	(void)close(body->fd);
	free(body);
}

/* The response with the content of @reply, whose fd it takes over. Return: NULL on failure. */
static struct MHD_Response *artifact_response(struct peer_reply *reply)
{
	struct MHD_Response *response = NULL;
	struct pipe_body *body;
	struct stat status;

	if (reply->form == ARTIFACT_FORM_PIPE) {
		body = calloc(1, sizeof(*body));
		if (body) {
			*body = (struct pipe_body){reply->fd, reply->size};
			response = MHD_create_response_from_callback(reply->size, PIPE_BLOCK,
								     pipe_read, body, pipe_free);
		}
		if (!response)
			free(body);
	} else if (reply->form == ARTIFACT_FORM_ZSTD) {
		if (fstat(reply->fd, &status) == 0)
			response =
				MHD_create_response_from_fd64((uint64_t)status.st_size, reply->fd);
		if (response)
			(void)MHD_add_response_header(response, "Content-Encoding", "zstd");
	} else {
		response = MHD_create_response_from_fd64(reply->size, reply->fd);
	}
	if (!response)
		(void)close(reply->fd);
	return response;
}

/* Answer for an unknown key: 410 if retention removed the artifacts, otherwise 404. */
static void answer_no_artifact(struct http_request *request)
{
	struct run_facts facts;

	if (run_facts_ask(request->api, request->match.run, NULL, 0, &facts, NULL, NULL) == 200 &&
	    facts.artifacts_removed_usec)
		answer_removed(request, "artifacts", facts.artifacts_removed_usec);
	else
		http_answer_error(request, 404, "this run has no artifact of that key");
}

static void answer_unreadable(struct http_request *request, uint64_t status)
{
	if (status == 404)
		answer_no_artifact(request);
	else if (status == 503)
		http_answer_error(request, 503, "too many artifacts are being read: try again");
	else
		http_answer_error(request, 500, "the artifact cannot be read");
}

void handle_artifact(struct http_request *request)
{
	char project[PROJECT_NAME_MAX + 1];
	struct MHD_Response *response;
	struct peer_reply reply;
	struct message *message;

	if (!run_project(request, project))
		return;
	message = MESSAGE_NEW(artifact_open, 0, .project = project, .run = request->match.run,
			      .key = request->match.key, .zstd = takes_zstd(request));
	if (!ask_peer(request, ROLE_CACHER, message, PEER_DEADLINE_USEC, &reply))
		return;
	if (reply.status != 200 || reply.fd < 0) {
		if (reply.fd >= 0)
			(void)close(reply.fd);
		answer_unreadable(request, reply.status);
		return;
	}
	response = artifact_response(&reply);
	if (response) {
		add_download_headers(response, request->match.key,
				     strcmp(reply.kind, "directory") == 0);
		(void)MHD_add_response_header(response, "Vary", "Accept-Encoding");
	}
	http_answer(request, 200, response);
}

void handle_artifact_put(struct http_request *request)
{
	char project[PROJECT_NAME_MAX + 1];
	struct peer_reply reply;
	struct message *message;
	struct json json = {0};
	size_t size;
	char *text;

	if (!run_project(request, project))
		return;
	message = MESSAGE_NEW(artifact_put, 0, .project = project, .run = request->match.run,
			      .key = request->match.key, .mode = 0644,
			      .modified_sec = wall_usec() / USEC_PER_SEC,
			      .content = request->upload_fd);
	if (!ask_peer(request, ROLE_CACHER, message, PEER_PUT_USEC, &reply))
		return;
	if (reply.status != 200) {
		http_answer_error(request, (unsigned)reply.status, "%s", reply.text);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "key", request->match.key);
	json_number(&json, "size", request->upload_size);
	json_close(&json, '}');
	text = json_take(&json, &size);
	http_answer_json(request, 201, text, size);
}
