/* SPDX-License-Identifier: Apache-2.0 */
/* Images: runbook-image answers. To a long operation it replies with the number of a job. */
#include "api/handlers.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/body.h"
#include "common/cleanup.h"
#include "common/image.h"
#include "common/messages/images.h"
#include "common/names.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void ask(struct http_request *request, const char *name, const char *source, int fd)
{
	ask_and_answer(request, ROLE_IMAGE,
		       MESSAGE_NEW(image_request, 0, .verb = (enum image_verb)request->route->verb,
				   .name = name, .source = source, .job = request->match.run,
				   .content = fd),
		       PEER_DEADLINE_USEC);
}

/* The text of a job quotes the registry's answer, so clients that may only read do not get it. */
void handle_images(struct http_request *request)
{
	if (!request->local && request->route->verb == IMAGE_JOB) {
		http_answer_error(request, 403,
				  "the state of a pull is served on the unix socket api.sock only");
		return;
	}
	ask(request, "", "", -1);
}

void handle_image_change(struct http_request *request)
{
	const char *name = "", *source = "";
	const struct body_field fields[] = {
		{"name", IMAGE_NAME_MAX, &name, NULL},
		{"source", IMAGE_NAME_MAX, &source, NULL},
	};
	json_t *body;

	if (!body_read(request, fields, ARRAY_SIZE(fields), &body))
		return;
	ask(request, name, source, -1);
	json_decref(body);
}

void upload_image(struct http_request *request)
{
	const char *name = http_argument(request, "name");
	const char *kind = http_argument(request, "kind");

	if (!name || !image_name_valid(name)) {
		http_answer_error(request, 400,
				  "name= takes letters, digits and ._/:@- : the name that steps "
				  "will use");
		return;
	}
	if (!kind || strlen(kind) > IMAGE_NAME_MAX || !text_printable(kind)) {
		http_answer_error(request, 400,
				  "kind= takes rootfs, docker-archive or oci-archive");
		return;
	}
	if (request->upload_size == 0 || lseek(request->upload_fd, 0, SEEK_SET) < 0) {
		http_answer_error(request, 400, "send the archive as the body");
		return;
	}
	ask(request, name, kind, request->upload_fd);
}
