/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_REQUEST_H
#define WEBHOOK_REQUEST_H

/* The callbacks of libmicrohttpd: one request from its first line to its answer. */

#include "webhook/listener.h"

#include <microhttpd.h>

/* All of them take the struct listener as their first argument. */
void *request_started(void *listener, const char *uri, struct MHD_Connection *http);
enum MHD_Result request_handle(void *listener, struct MHD_Connection *http, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *data_size, void **request);
void request_completed(void *listener, struct MHD_Connection *http, void **request,
		       enum MHD_RequestTerminationCode code);

#endif
