/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_REQUEST_H
#define WEBHOOK_REQUEST_H

/*
 * DOC: One request from its first line to its answer
 *
 * libmicrohttpd calls these functions in the threads of a listener. A request goes
 * through the phases of enum phase in request.c: its head is checked, its body is
 * collected (or discarded, if it was refused), the delivery is checked, and then the
 * connection is suspended while the trigger is with the main thread. Refusals become
 * answers; only lack of memory closes a connection without one.
 */

#include "webhook/listener.h"

#include <microhttpd.h>

/* All of them take the struct listener as their first argument. See microhttpd.h. */

/** request_started() - MHD_OPTION_URI_LOG_CALLBACK. Return: the request, NULL: no memory. */
void *request_started(void *listener, const char *uri, struct MHD_Connection *http);
/** request_handle() - MHD_AccessHandlerCallback: called for the head, parts of the body, its end */
enum MHD_Result request_handle(void *listener, struct MHD_Connection *http, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *data_size, void **request);
/** request_completed() - MHD_OPTION_NOTIFY_COMPLETED: free the request */
void request_completed(void *listener, struct MHD_Connection *http, void **request,
		       enum MHD_RequestTerminationCode code);

#endif
