/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SSE_H
#define CLI_SSE_H

/* Server-sent events (HTML standard, section 9.2), fed in pieces of any size. */

#include "cli/text.h"

/* One event's data at most; more is dropped up to the next empty line. */
#define SSE_EVENT_MAX (1024UL * 1024)

struct sse {
	/** called for each event; @id is "" when the event has none */
	void (*event)(void *user, const char *event, const char *id, const char *data);
	void *user;
	struct text_buffer line; /* private from here on */
	struct text_buffer data;
	char name[32];
	char id[32];
	bool after_return;
};

void sse_feed(struct sse *sse, const char *data, size_t size);
/** sse_reset() - forget a half event; for a new connection */
void sse_reset(struct sse *sse);
void sse_done(struct sse *sse);

#endif
