/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ASK_H
#define API_ASK_H

/*
 * DOC: Forwarding a request to another program
 *
 * Most HTTP requests are answered by the scheduler, the cacher, runbook-image or
 * runbookd: a handler sends one of them a message, waits for its reply, and passes the
 * JSON or the sentence in it on. The reply, struct peer_reply, is on the stack of the
 * request's thread and has room for a sentence, so peer_call() is the only step between
 * the message and the HTTP answer that can fail.
 */

#include "api/request.h"
#include "common/messages/api.h"

/** question_message() - an API_REQUEST with the fields of @question; NULL: no memory */
struct message *question_message(const struct message_api_request *question);

/**
 * api_reply_text() - the JSON of a reply, or its sentence as {"error": …}
 * @ret_text: malloc'ed, NUL-terminated, freed by the caller
 *
 * Closes reply->fd. Return: the HTTP status, or -errno.
 */
int api_reply_text(struct peer_reply *reply, char **ret_text, size_t *ret_size);

/**
 * api_ask() - send @question to the scheduler and wait for its reply
 * @ret_text: JSON or error text; malloc'ed, NUL-terminated, freed by the caller
 * @ret_size: its bytes
 *
 * If the scheduler goes away before it replies, a question that changes nothing is
 * sent once more.
 *
 * Return: the HTTP status, or -errno if the scheduler did not reply.
 */
int api_ask(struct api *api, const struct message_api_request *question, char **ret_text,
	    size_t *ret_size);
/**
 * ask_peer() - send @message to @role on behalf of @request and wait for the reply
 * @message:      always freed; NULL: out of memory
 * @timeout_usec: PEER_DEADLINE_USEC, or longer
 *
 * Return: true with @ret_reply filled in; false if @role did not reply, after an answer
 * to @request that reports it.
 */
bool ask_peer(struct http_request *request, enum process_role role, struct message *message,
	      uint64_t timeout_usec, struct peer_reply *ret_reply);
/** http_answer_reply() - answer with the JSON or the sentence in @reply, and close its fd */
void http_answer_reply(struct http_request *request, enum process_role role,
		       struct peer_reply *reply);
/** ask_and_answer() - ask_peer(), then http_answer_reply() */
void ask_and_answer(struct http_request *request, enum process_role role, struct message *message,
		    uint64_t timeout_usec);
/** http_answer_scheduler() - answer with the scheduler's reply to @question */
void http_answer_scheduler(struct http_request *request,
			   const struct message_api_request *question);

#endif
