/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

/*
 * DOC: The answer to a request
 *
 * Each handler calls one of these functions exactly once for its request. They add the
 * headers that all answers have. Without memory there is no answer, and the connection
 * is closed instead, so a client never waits for nothing.
 */

#include "api/request.h"

/**
 * http_answer() - queue @response with the common headers, and release it
 * @response: NULL (out of memory) closes the connection
 */
void http_answer(struct http_request *request, unsigned status, struct MHD_Response *response);
/**
 * http_error_text() - {"error": @sentence} as JSON text
 *
 * Return: *@ret_size bytes that the caller frees; NULL without memory.
 */
char *http_error_text(const char *sentence, size_t *ret_size);
/** http_answer_json() - answer with @text of @size bytes, and free it; NULL: out of memory */
void http_answer_json(struct http_request *request, unsigned status, char *text, size_t size);
/** http_answer_error() - answer with {"error": sentence}; the sentence names the remedy */
void http_answer_error(struct http_request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** http_answer_lost() - answer with 503 after peer_call() to @role returned @error */
void http_answer_lost(struct http_request *request, enum process_role role, int error);

#endif
