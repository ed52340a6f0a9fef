/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SSE_H
#define CLI_SSE_H

/*
 * DOC: Parser of server-sent events
 *
 * It implements the format of section 9.2 of the HTML standard. The stream can be fed in
 * pieces of any size. An event that is too long is dropped, so memory stays bounded.
 */

#include "cli/text.h"

/* Most bytes of an event's data; more is dropped up to the next empty line. */
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

/** sse_feed() - parse @data and call .event for each complete event */
void sse_feed(struct sse *sse, const char *data, size_t size);
/** sse_reset() - drop an incomplete event, before the first data of a new connection */
void sse_reset(struct sse *sse);
/** sse_done() - free memory */
void sse_done(struct sse *sse);

#endif
