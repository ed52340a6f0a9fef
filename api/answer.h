/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

/* What is answered to a request. Each handler calls one of these once. */

#include "api/request.h"

/**
 * http_answer() - queue @response, which is released; common headers are added
 *
 * NULL, without memory, closes the connection.
 */
void http_answer(struct http_request *request, unsigned status, struct MHD_Response *response);
/**
 * http_error_text() - {"error": @sentence}
 *
 * Return: text to be freed by the caller, of *@ret_size bytes; NULL without memory.
 */
char *http_error_text(const char *sentence, size_t *ret_size);
/** http_answer_json() - answer with @text, a JSON text of @size bytes that is freed; NULL as above */
void http_answer_json(struct http_request *request, unsigned status, char *text, size_t size);
/** http_answer_error() - {"error": sentence}. The sentence names the fix. */
void http_answer_error(struct http_request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** http_answer_lost() - the answer to a failed peer_call() */
void http_answer_lost(struct http_request *request, enum process_role role, int error);

#endif
