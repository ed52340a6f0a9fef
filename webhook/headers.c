/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/headers.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const char *const header_names[] = {
#define HEADER_NAME(name, text) [HEADER_##name] = text,
	HEADER_TABLE(HEADER_NAME)
#undef HEADER_NAME
};
static_assert(ARRAY_SIZE(header_names) == HEADER_NUM, "one name for each header");

const char *header_name(enum header header)
{
	return header < HEADER_NUM ? header_names[header] : "?";
}

void headers_add(struct headers *headers, const char *name, const char *value, size_t value_size)
{
	for (size_t i = 0; i < HEADER_NUM; i++) {
		if (strcasecmp(name, header_names[i]) != 0)
			continue;
		if (headers->values[i])
			headers->repeated = (enum header)i;
		if (!value || strlen(value) != value_size)
			headers->invalid = true;
		headers->values[i] = value ? value : "";
		return;
	}
}

/* Return: 0, 400 (other than decimal digits) or 413 (may not fit into 64 bits). */
static int parse_length(const char *text, uint64_t *ret_length)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t length = 0;

	if (digits == 0 || text[digits] != '\0')
		return 400;
	for (size_t i = 0; i < digits; i++) {
		if (length > (UINT64_MAX - 9) / 10)
			return 413;
		length = length * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_length = length;
	return 0;
}

static int framing_refused(struct answer *answer)
{
	answer->close = true; /* it is unknown where the next request starts */
	return (int)answer->status;
}

int headers_check_framing(const struct headers *headers, const struct request_line *line,
			  struct request_body *ret_body, struct answer *answer)
{
	const char *coding = headers->values[HEADER_TRANSFER_ENCODING];
	const char *length = headers->values[HEADER_CONTENT_LENGTH];

	*ret_body = (struct request_body){.length = 0};
	if (strcmp(line->version, "HTTP/1.1") != 0 && strcmp(line->version, "HTTP/1.0") != 0) {
		answer_error(answer, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
		return framing_refused(answer);
	}
	if (headers->invalid) {
		answer_error(answer, 400, "a header field contains a NUL byte");
		return framing_refused(answer);
	}
	if (headers->repeated != HEADER_NUM) {
		answer_error(answer, 400, "header %s was sent more than once, send it once",
			     header_name(headers->repeated));
		return framing_refused(answer);
	}
	if (coding && length) {
		answer_error(answer, 400,
			     "Content-Length and Transfer-Encoding exclude each other, send one");
		return framing_refused(answer);
	}
	if (coding) {
		if (strcasecmp(coding, "chunked") != 0 || strcmp(line->version, "HTTP/1.1") != 0) {
			answer_error(answer, 400,
				     "the only Transfer-Encoding is \"chunked\", with HTTP/1.1");
			return framing_refused(answer);
		}
		ret_body->chunked = true;
	}
	if (length) {
		int status = parse_length(length, &ret_body->length);

		if (status != 0) {
			answer_error(answer, (unsigned)status,
				     "Content-Length is not a usable decimal number");
			return framing_refused(answer);
		}
	}
	if (headers->values[HEADER_EXPECT] &&
	    strcasecmp(headers->values[HEADER_EXPECT], "100-continue") != 0) {
		answer_error(answer, 417, "the only Expect is \"100-continue\"");
		return framing_refused(answer);
	}
	return 0;
}

#define WEBHOOK_PREFIX "/webhook/"

int request_route(const struct request_line *line, enum route *ret_route, const char **ret_project,
		  struct answer *answer)
{
	*ret_project = "";
	if (strcmp(line->path, "/healthz") == 0) {
		*ret_route = ROUTE_HEALTH;
		if (strcmp(line->method, "GET") == 0 || strcmp(line->method, "HEAD") == 0)
			return 0;
		answer_error(answer, 405, "use GET for /healthz");
		answer->allow = "GET, HEAD";
		return 405;
	}
	if (strncmp(line->path, WEBHOOK_PREFIX, strlen(WEBHOOK_PREFIX)) == 0) {
		*ret_route = ROUTE_WEBHOOK;
		*ret_project = line->path + strlen(WEBHOOK_PREFIX);
		if (strcmp(line->method, "POST") == 0)
			return 0;
		answer_error(answer, 405, "webhooks are delivered with POST");
		answer->allow = "POST";
		return 405;
	}
	answer_error(answer, 404,
		     "no such path; webhooks are delivered to " WEBHOOK_PREFIX "PROJECT");
	return 404;
}

/* Compare without parameters: "application/json; charset=utf-8" is application/json. */
static bool media_type_is(const char *value, const char *type)
{
	size_t length = strcspn(value, "; \t");

	return length == strlen(type) && strncasecmp(value, type, length) == 0;
}

int headers_check_body(const struct headers *headers, struct request_body *body,
		       struct answer *answer)
{
	const char *type = headers->values[HEADER_CONTENT_TYPE];
	const char *coding = headers->values[HEADER_CONTENT_ENCODING];

	body->form = type && media_type_is(type, "application/x-www-form-urlencoded");
	if (!body->form && !(type && media_type_is(type, "application/json"))) {
		answer_error(answer, 415,
			     "set the webhook's content type to application/json "
			     "(application/x-www-form-urlencoded with payload= works too)");
		return 415;
	}
	if (coding && strcasecmp(coding, "identity") != 0) {
		answer_error(answer, 415,
			     "compressed bodies are not accepted, send it uncompressed");
		return 415;
	}
	if (body->length > WEBHOOK_BODY_MAX) {
		answer_error(answer, 413, "the body has %llu bytes, at most %llu are accepted",
			     (unsigned long long)body->length,
			     (unsigned long long)WEBHOOK_BODY_MAX);
		return 413;
	}
	return 0;
}
