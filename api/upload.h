/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_UPLOAD_H
#define API_UPLOAD_H

/*
 * DOC: Large bodies
 *
 * Working copies, images and artifacts that people upload are streamed into a file without
 * a name, in the directory for uploads, or in memory if there is none. The descriptor of the
 * file goes to the program that needs it. At most UPLOADS_AT_ONCE are received at a time,
 * and a part of the file system is left free.
 */

#include "api/request.h"

#define UPLOADS_AT_ONCE 4u

/** upload_max() - most bytes that a body of @request may have */
uint64_t upload_max(const struct http_request *request);
/**
 * upload_begin() - make the file for a body of @size bytes (0: unknown)
 *
 * Return: true; false after an answer, when there is no room.
 */
bool upload_begin(struct http_request *request, uint64_t size);
/** upload_take() - append to the file. Return: false when it is too long or cannot be written. */
bool upload_take(struct http_request *request, const char *data, size_t size);
/** upload_end() - release the file, if there is one; always called at the end of a request */
void upload_end(struct http_request *request);
/** upload_run() - handler: let the scheduler start a run of the uploaded working copy */
void upload_run(struct http_request *request);

#endif
