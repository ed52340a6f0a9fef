/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/reply.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "scheduler/model/outbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reply_error(const struct request *request, unsigned status, const char *format, ...)
{
	char text[REASON_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	outbox_put(&request->scheduler->api,
		   MESSAGE_NEW(api_answer, request->serial, .status = status, .error = text));
}

void reply_json(const struct request *request, unsigned status, const struct json *json)
{
	cleanup_close int fd = -1;

	if (!json->failed && json->text)
		fd = memfd_sealed("runbook-answer", json->text, json->length);
	if (fd < 0) {
		reply_error(request, 503, "not enough memory for the answer: try again");
		return;
	}
	outbox_put(&request->scheduler->api,
		   MESSAGE_NEW(api_answer, request->serial, .status = status, .content = fd));
}

void reply_store_error(const struct request *request, int r)
{
	log_error("the store cannot be read: %s", strerror(-r));
	reply_error(request, 500, "the store cannot be read: see the log of runbook-scheduler");
}
