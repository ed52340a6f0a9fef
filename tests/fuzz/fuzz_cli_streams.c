/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of steps on a person's terminal: for any bytes in any chunks, only text, newline,
 * tab and colours pass. The same bytes also go to the parser of events.
 */

#include "cli/log_lines.h"
#include "cli/log_tail.h"
#include "cli/sse.h"
#include "cli/term_filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void ignore_event(void *user, const char *event, const char *id, const char *data)
{
	size_t *bytes = user;

	*bytes += strlen(event) + strlen(id) + strlen(data);
}

static void check_harmless(const struct text_buffer *out)
{
	for (size_t i = 0; i < out->size; i++) {
		unsigned char byte = (unsigned char)out->data[i];

		if (byte == 0x1b) {
			size_t end = i + 2 + strspn(out->data + i + 2, "0123456789;:");

			if (out->data[i + 1] != '[' || out->data[end] != 'm')
				abort();
		} else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
			abort();
		}
	}
}

static void check_tail(const struct text_buffer *tail, size_t lines)
{
	size_t n = 0;

	for (size_t i = 0; i < tail->size; i++)
		n += tail->data[i] == '\n';
	if (n > lines || (tail->size > 0 && tail->data[tail->size - 1] != '\n'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_lines lines = {.prefix = "step | ", .terminal = true, .filter = {.color = true}};
	struct log_lines bars = {.prefix = "",
				 .terminal = true,
				 .collapse = true,
				 .stamped = size % 2 == 0,
				 .filter = {.keep_return = true}};
	struct text_buffer whole = {0}, pieces = {0}, prefixed = {0}, painted = {0}, tail = {0};
	struct term_filter one = {.color = true}, other = {.color = true};
	size_t step = size > 0 ? data[0] % 7 + 1 : 1, bytes = 0;
	struct sse sse = {.event = ignore_event, .user = &bytes};

	term_filter_feed(&one, (const char *)data, size, &whole);
	for (size_t i = 0; i < size; i += step) {
		size_t part = size - i < step ? size - i : step;

		term_filter_feed(&other, (const char *)data + i, part, &pieces);
		log_lines_feed(&lines, (const char *)data + i, part, &prefixed);
		log_lines_feed(&bars, (const char *)data + i, part, &painted);
		sse_feed(&sse, (const char *)data + i, part);
	}
	log_lines_end(&lines, &prefixed);
	log_lines_end(&bars, &painted);
	log_tail_format(&(struct log_tail){.lines = 3, .prefix = "", .color = true},
			(const char *)data, size, &tail);
	check_tail(&tail, 3);
	/* the chunks must not matter */
	if (whole.size != pieces.size ||
	    (whole.size && memcmp(whole.data, pieces.data, whole.size)))
		abort();
	check_harmless(&whole);
	check_harmless(&prefixed);
	check_harmless(&tail);
	text_buffer_done(&painted);
	text_buffer_done(&tail);
	sse_done(&sse);
	text_buffer_done(&whole);
	text_buffer_done(&pieces);
	text_buffer_done(&prefixed);
	return 0;
}
