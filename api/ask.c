/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ask.h"

#include "api/answer.h"
#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <string.h>

#define ANSWER_JSON_MAX (64 * MIB) /* in a reply */

/* The JSON text for a reply that has only a sentence. */
static int wrap_error(const char *sentence, char **ret_text, size_t *ret_size)
{
	size_t size;
	char *text = http_error_text(sentence, &size);

	if (!text)
		return -ENOMEM;
	*ret_text = text;
	*ret_size = size;
	return 0;
}

struct message *question_message(const struct message_api_request *question)
{
	return message_build(&message_format_api_request, 0, question);
}

int api_reply_text(struct peer_reply *reply, char **ret_text, size_t *ret_size)
{
	int r;

	if (reply->fd >= 0) {
		r = lseek(reply->fd, 0, SEEK_SET) < 0
			    ? -errno
			    : fd_read_file(reply->fd, ANSWER_JSON_MAX, ret_text, ret_size);
		(void)close(reply->fd);
	} else {
		r = wrap_error(reply->text, ret_text, ret_size);
	}
	if (r < 0)
		return r;
	if (reply->status < 200 || reply->status > 599) {
		free(*ret_text);
		return -EPROTO;
	}
	return (int)reply->status;
}

/* Verbs that change nothing, so they can be repeated after the scheduler went away. */
static const bool reading_verbs[API_NUM_VERBS] = {
	[API_STATUS] = true,  [API_PROJECTS] = true,
	[API_PROJECT] = true, [API_RUNS] = true,
	[API_RUN] = true,     [API_EVENTS] = true,
	[API_QUEUE] = true,   [API_RUNBOOK] = true,
	[API_SECRETS] = true, [API_SECRET_PUBLIC_KEY] = true,
};

int api_ask(struct api *api, const struct message_api_request *question, char **ret_text,
	    size_t *ret_size)
{
	struct peer_reply reply;
	int r = peer_call(api->peers, ROLE_SCHEDULER, question_message(question), &reply);

	if (r == -ENOTCONN && reading_verbs[question->verb])
		r = peer_call(api->peers, ROLE_SCHEDULER, question_message(question), &reply);
	return r < 0 ? r : api_reply_text(&reply, ret_text, ret_size);
}

bool ask_peer(struct http_request *request, enum process_role role, struct message *message,
	      uint64_t timeout_usec, struct peer_reply *ret_reply)
{
	int r = peer_call_long(request->api->peers, role, message, ret_reply, timeout_usec);

	if (r < 0)
		http_answer_lost(request, role, r);
	return r == 0;
}

void http_answer_reply(struct http_request *request, enum process_role role,
		       struct peer_reply *reply)
{
	char *text = NULL;
	size_t size = 0;
	int status = api_reply_text(reply, &text, &size);

	if (status < 0)
		http_answer_lost(request, role, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
}

void ask_and_answer(struct http_request *request, enum process_role role, struct message *message,
		    uint64_t timeout_usec)
{
	struct peer_reply reply;

	if (ask_peer(request, role, message, timeout_usec, &reply))
		http_answer_reply(request, role, &reply);
}

void http_answer_scheduler(struct http_request *request, const struct message_api_request *question)
{
	char *text = NULL;
	size_t size = 0;
	int status = api_ask(request->api, question, &text, &size);

	if (status < 0)
		http_answer_lost(request, ROLE_SCHEDULER, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
}
