/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_HEADERS_H
#define WEBHOOK_HEADERS_H

/*
 * The header fields that this program reads, and the checks of the request line
 * and the body's framing. No HTTP library here: unit tests and fuzz targets
 * come in by the same door as the network.
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
 * @repeated: a known field that came twice, HEADER_NUM if none did. Which of two
 *            is meant is anybody's guess, and guessing is how requests are smuggled.
 * @invalid:  a known field holds a NUL byte
 */
struct headers {
	const char *values[HEADER_NUM];
	enum header repeated;
	bool invalid;
};
#define HEADERS_INIT ((struct headers){.repeated = HEADER_NUM})

/** headers_add() - note one field; unknown names are passed over */
void headers_add(struct headers *headers, const char *name, const char *value, size_t value_size);
/** header_name() - "X-Hub-Signature-256", … */
const char *header_name(enum header header);

enum route {
	ROUTE_HEALTH,
	ROUTE_WEBHOOK,
};

/** struct request_line - as it came; nothing owned, nothing decoded */
struct request_line {
	const char *method;
	const char *path; /* without the query */
	const char *version;
};

/** struct request_body - what the header says about the body */
struct request_body {
	bool chunked;
	bool form;	 /* application/x-www-form-urlencoded, JSON in "payload" */
	uint64_t length; /* 0 when @chunked */
};

/*
 * The checks, in the order they are made. Each returns 0 to go on, or the HTTP
 * status that it put into @answer.
 */

/** headers_check_framing() - how long the body is must have one meaning */
int headers_check_framing(const struct headers *headers, const struct request_line *line,
			  struct request_body *ret_body, struct answer *answer);
/** request_route() - 404 or 405. @ret_project points into the path. */
int request_route(const struct request_line *line, enum route *ret_route, const char **ret_project,
		  struct answer *answer);
/** headers_check_body() - content type and coding (415), declared length (413) */
int headers_check_body(const struct headers *headers, struct request_body *body,
		       struct answer *answer);

#endif
