/* SPDX-License-Identifier: Apache-2.0 */
#include "api/answer.h"

#include "common/cleanup.h"
#include "common/json_writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void http_answer(struct http_request *request, unsigned status, struct MHD_Response *response)
{
	static const char *const headers[][2] = {
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	};

	request->answered = true;
	request->result = MHD_NO;
	if (!response)
		return; /* out of memory: the connection closes */
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (!MHD_get_response_header(response, headers[i][0]))
			(void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
	request->result = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
}

void http_answer_json(struct http_request *request, unsigned status, char *text, size_t size)
{
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;

	if (response)
		(void)MHD_add_response_header(response, "Content-Type", "application/json");
	else
		free(text);
	if (response && status == 503)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	http_answer(request, status, response);
}

char *http_error_text(const char *sentence, size_t *ret_size)
{
	struct json json = {0};

	json_open(&json, NULL, '{');
	json_text(&json, "error", sentence);
	json_close(&json, '}');
	return json_take(&json, ret_size);
}

void http_answer_error(struct http_request *request, unsigned status, const char *format, ...)
{
	char sentence[ERROR_TEXT_MAX];
	va_list arguments;
	size_t size;
	char *text;

	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	text = http_error_text(sentence, &size);
	http_answer_json(request, status, text, size);
}

void http_answer_lost(struct http_request *request, enum process_role role, int error)
{
	http_answer_error(request, 503,
			  error == -ETIMEDOUT ? "the %s did not answer in time: try again"
					      : "the %s is away: try again in a moment",
			  role_name(role));
}
