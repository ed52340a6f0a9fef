/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ask.h"

#include "api/answer.h"
#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define ANSWER_JSON_MAX (64 * MIB) /* of the scheduler */

/* {"error": text} for an answer that came without JSON. */
static int wrap_error(const char *sentence, char **ret_text, size_t *ret_size)
{
	json_t *whole = json_pack("{s:s}", "error", sentence);
	char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;

	json_decref(whole);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	*ret_size = strlen(text);
	return 0;
}

struct message *question_message(const struct question *question)
{
	struct message *message = message_new(MESSAGE_API_REQUEST, 0);

	if (!message)
		return NULL;
	message_put_u64(message, question->verb);
	message_put_string(message, question->project);
	message_put_u64(message, question->run);
	message_put_string(message, question->step);
	message_put_string(message, question->ref);
	message_put_string(message, question->commit);
	message_put_u64(message, question->after);
	message_put_u64(message, question->limit);
	if (question->fd >= 0)
		message_put_fd(message, question->fd);
	return message;
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

static bool question_reads(enum api_verb verb)
{
	return verb <= API_RUNBOOK || verb == API_SECRETS || verb == API_SECRET_DOOR;
}

int api_ask(struct api *api, const struct question *question, char **ret_text, size_t *ret_size)
{
	cleanup_free struct peer_reply *reply = malloc(sizeof(*reply));
	int r;

	if (!reply)
		return -ENOMEM;
	r = peer_call(api->peers, ROLE_SCHEDULER, question_message(question), reply);
	/* a question that changes nothing is asked again when the scheduler died over it */
	if (r == -ENOTCONN && question_reads(question->verb))
		r = peer_call(api->peers, ROLE_SCHEDULER, question_message(question), reply);
	return r < 0 ? r : api_reply_text(reply, ret_text, ret_size);
}

void http_answer_scheduler(struct http_request *request, const struct question *question)
{
	char *text = NULL;
	size_t size = 0;
	int status = api_ask(request->api, question, &text, &size);

	if (status < 0)
		http_answer_lost(request, ROLE_SCHEDULER, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
}
