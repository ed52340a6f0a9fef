/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sse.h"

#include <string.h>

static void sse_dispatch(struct sse *sse)
{
	if (sse->data.size > 0 || sse->name[0])
		sse->event(sse->user, sse->name[0] ? sse->name : "message", sse->id,
			   sse->data.data ? sse->data.data : "");
	sse->data.size = 0;
	if (sse->data.data)
		sse->data.data[0] = '\0';
	sse->name[0] = '\0';
}

static void sse_field(struct sse *sse, const char *name, const char *value)
{
	if (strcmp(name, "data") == 0) {
		if (sse->data.size + strlen(value) + 1 > SSE_EVENT_MAX)
			return;
		if (sse->data.size > 0)
			text_puts(&sse->data, "\n");
		text_puts(&sse->data, value);
	} else if (strcmp(name, "event") == 0) {
		(void)snprintf(sse->name, sizeof(sse->name), "%s", value);
	} else if (strcmp(name, "id") == 0) {
		(void)snprintf(sse->id, sizeof(sse->id), "%s", value);
	}
}

static void sse_line(struct sse *sse)
{
	char *line = sse->line.data ? sse->line.data : (char[]){""};
	char *colon = strchr(line, ':');

	if (*line == '\0') {
		sse_dispatch(sse);
	} else if (colon != line) { /* a line that starts with ':' is a comment */
		const char *value = "";

		if (colon) {
			*colon = '\0';
			value = colon[1] == ' ' ? colon + 2 : colon + 1;
		}
		sse_field(sse, line, value);
	}
	sse->line.size = 0;
	if (sse->line.data)
		sse->line.data[0] = '\0';
}

void sse_feed(struct sse *sse, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool follows_return = sse->after_return;

		sse->after_return = data[i] == '\r';
		if (data[i] == '\n' && follows_return)
			continue;
		if (data[i] == '\n' || data[i] == '\r')
			sse_line(sse);
		else if (sse->line.size < SSE_EVENT_MAX)
			text_append(&sse->line, &data[i], 1);
	}
}

void sse_reset(struct sse *sse)
{
	sse->line.size = 0;
	sse->data.size = 0;
	if (sse->line.data)
		sse->line.data[0] = '\0';
	if (sse->data.data)
		sse->data.data[0] = '\0';
	sse->name[0] = '\0';
	sse->after_return = false;
}

void sse_done(struct sse *sse)
{
	text_buffer_done(&sse->line);
	text_buffer_done(&sse->data);
}
