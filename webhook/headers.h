/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_HEADERS_H
#define WEBHOOK_HEADERS_H

/*
 * DOC: Header fields and the checks that need no body
 *
 * request.c collects the header fields in the table below and then calls the checks
 * in the order of this header, before it reads a byte of the body. The length of the
 * body must have one meaning only, because a proxy that reads it differently could be
 * made to smuggle a second request. This module does not use the HTTP library, so
 * unit tests and fuzz targets call the same functions as the network.
 */

#include "webhook/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, field name as its sender documents it) */
#define HEADER_TABLE(X)                                                                            \
	X(CONTENT_TYPE, "Content-Type")                                                            \
	X(CONTENT_LENGTH, "Content-Length")                                                        \
	X(TRANSFER_ENCODING, "Transfer-Encoding")                                                  \
	X(CONTENT_ENCODING, "Content-Encoding")                                                    \
	X(EXPECT, "Expect")                                                                        \
	X(HOST, "Host")                                                                            \
	X(HUB_SIGNATURE_256, "X-Hub-Signature-256")                                                \
	X(HUB_SIGNATURE, "X-Hub-Signature")                                                        \
	X(GITHUB_EVENT, "X-GitHub-Event")                                                          \
	X(GITHUB_DELIVERY, "X-GitHub-Delivery")                                                    \
	X(GITLAB_EVENT, "X-Gitlab-Event")                                                          \
	X(GITLAB_EVENT_UUID, "X-Gitlab-Event-UUID")                                                \
	X(GITLAB_TOKEN, "X-Gitlab-Token")                                                          \
	X(IDEMPOTENCY_KEY, "Idempotency-Key")                                                      \
	X(GITEA_EVENT, "X-Gitea-Event")                                                            \
	X(GITEA_DELIVERY, "X-Gitea-Delivery")                                                      \
	X(GITEA_SIGNATURE, "X-Gitea-Signature")                                                    \
	X(FORGEJO_EVENT, "X-Forgejo-Event")                                                        \
	X(FORGEJO_DELIVERY, "X-Forgejo-Delivery")                                                  \
	X(FORGEJO_SIGNATURE, "X-Forgejo-Signature")                                                \
	X(EVENT_KEY, "X-Event-Key")                                                                \
	X(REQUEST_UUID, "X-Request-UUID")                                                          \
	X(REQUEST_ID, "X-Request-Id")                                                              \
	X(WEBHOOK_ID, "webhook-id")                                                                \
	X(WEBHOOK_TIMESTAMP, "webhook-timestamp")                                                  \
	X(WEBHOOK_SIGNATURE, "webhook-signature")

enum header {
#define HEADER_ENUM(name, text) HEADER_##name,
	HEADER_TABLE(HEADER_ENUM)
#undef HEADER_ENUM
		HEADER_NUM,
};

/**
 * struct headers - the known fields of one request
 * @values:   not owned; NULL where absent
 * @repeated: a known field that came twice, or HEADER_NUM. It is refused: a proxy
 *            may use the other one of the two, which is how requests are smuggled.
 * @invalid:  a known field contains a NUL byte
 */
struct headers {
	const char *values[HEADER_NUM];
	enum header repeated;
	bool invalid;
};
#define HEADERS_INIT ((struct headers){.repeated = HEADER_NUM})

/** headers_add() - record one field; unknown names are ignored */
void headers_add(struct headers *headers, const char *name, const char *value, size_t value_size);
/** header_name() - "X-Hub-Signature-256", … */
const char *header_name(enum header header);

enum route {
	ROUTE_HEALTH,
	ROUTE_WEBHOOK,
};

/** struct request_line - the request line as received; nothing is owned or decoded */
struct request_line {
	const char *method;
	const char *path; /* without the query */
	const char *version;
};

/** struct request_body - the body as the header announces it */
struct request_body {
	bool chunked;
	bool form;	 /* application/x-www-form-urlencoded, JSON in "payload" */
	uint64_t length; /* 0 when @chunked */
};

/*
 * The checks, in the order of their calls. Each returns 0 to go on, or the HTTP
 * status that it put into @answer.
 */

/**
 * headers_check_framing() - refuse ambiguous lengths and repeated or invalid fields
 *
 * Follows RFC 9112, section 6.3, but refuses where that lets a server choose.
 */
int headers_check_framing(const struct headers *headers, const struct request_line *line,
			  struct request_body *ret_body, struct answer *answer);
/** request_route() - find the route, or 404 or 405. @ret_project points into the path. */
int request_route(const struct request_line *line, enum route *ret_route, const char **ret_project,
		  struct answer *answer);
/** headers_check_body() - content type and coding (415), declared length (413) */
int headers_check_body(const struct headers *headers, struct request_body *body,
		       struct answer *answer);

#endif
