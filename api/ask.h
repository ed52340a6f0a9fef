/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ASK_H
#define API_ASK_H

/*
 * Questions to the other programs, asked for a request. The reply, struct peer_reply, lives on the
 * stack of the thread and has room for a sentence, so that peer_call() is the only call between a
 * question and its answer that can fail.
 */

#include "api/request.h"
#include "common/messages/api.h"

/** question_message() - the API_REQUEST that asks it; NULL: no memory */
struct message *question_message(const struct message_api_request *question);

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
 * Return: the HTTP status, or -errno if the other program did not answer.
 */
int api_ask(struct api *api, const struct message_api_request *question, char **ret_text,
	    size_t *ret_size);
/**
 * ask_peer() - ask @role for @request
 * @message:       always freed; NULL: out of memory
 * @timeout_usec: PEER_DEADLINE_USEC, or longer
 *
 * Return: true with @ret_reply filled; false if @role did not reply: @request is answered then.
 */
bool ask_peer(struct http_request *request, enum process_role role, struct message *message,
	      uint64_t timeout_usec, struct peer_reply *ret_reply);
/** http_answer_reply() - answer with the JSON or the sentence in @reply; its fd is closed */
void http_answer_reply(struct http_request *request, enum process_role role,
		       struct peer_reply *reply);
/** ask_and_answer() - ask_peer(), and answer with what comes back */
void ask_and_answer(struct http_request *request, enum process_role role, struct message *message,
		    uint64_t timeout_usec);
/** http_answer_scheduler() - answer with what the scheduler says to @question */
void http_answer_scheduler(struct http_request *request,
			   const struct message_api_request *question);

#endif
