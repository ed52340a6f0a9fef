/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_UPLOAD_H
#define API_UPLOAD_H

/* Working copies, images and artifacts that people send: streamed into a file without a name. */

#include "api/request.h"

#define UPLOADS_AT_ONCE 4u

/** upload_max() - most bytes that a body of @request may have */
uint64_t upload_max(const struct http_request *request);
/** upload_begin() - make room for a body of @size bytes (0: unknown); answers and returns false when there is none */
bool upload_begin(struct http_request *request, uint64_t size);
/** upload_take() - append. Return: false when it is too long or cannot be kept. */
bool upload_take(struct http_request *request, const char *data, size_t size);
/** upload_end() - give everything back; no-op without an upload */
void upload_end(struct http_request *request);
/** upload_run() - the body is there: ask the scheduler for a run of it */
void upload_run(struct http_request *request);

#endif
