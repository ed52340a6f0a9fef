/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term_filter.h"

#include <string.h>

enum filter_state {
	FILTER_TEXT = 0,
	FILTER_UTF8,	/* in a multi-byte character, whose first bytes are in held */
	FILTER_ESCAPE,	/* after ESC */
	FILTER_ESCAPE2, /* after ESC and an intermediate byte: one more byte follows */
	FILTER_CSI,	/* after ESC [: held has the whole sequence */
	FILTER_STRING,	/* OSC, DCS, PM, APC, SOS: until BEL or ST */
	FILTER_STRING_ESCAPE,
};

/* A longer control string counts as text after a stray introducer. */
#define FILTER_STRING_MAX 4096

#define REPLACEMENT "\xef\xbf\xbd"

static void hold(struct term_filter *filter, char byte)
{
	if (filter->length < sizeof(filter->held))
		filter->held[filter->length] = byte;
	filter->length++;
}

/* C1 control characters, which some terminals obey. */
static bool code_control(int32_t code)
{
	return code >= 0x80 && code < 0xa0;
}

/*
 * Characters that change the direction of text, and the line and paragraph separators. Joiners
 * and zero-width spaces are passed, because scripts and emoji need them.
 */
static bool code_reorders(int32_t code)
{
	return (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
	       code == 0x061c || code == 0x200e || code == 0x200f;
}

static void flush_utf8(struct term_filter *filter, struct text_buffer *out)
{
	int32_t code;
	size_t taken;

	if (filter->length == 0)
		return;
	taken = text_decode(filter->held, filter->length, &code);
	if (code < 0 || taken != filter->length || code_control(code))
		text_puts(out, REPLACEMENT);
	else if (code_reorders(code))
		text_printf(out, "<U+%04X>", (unsigned)code);
	else
		text_append(out, filter->held, filter->length);
	filter->length = 0;
}

static void finish_csi(struct term_filter *filter, char final, struct text_buffer *out)
{
	size_t length = filter->length;

	filter->state = FILTER_TEXT;
	filter->length = 0;
	if (final != 'm' || !filter->color || length > sizeof(filter->held))
		return;
	for (size_t i = 2; i + 1 < length; i++) /* "ESC [ > m" is not SGR */
		if (!strchr("0123456789;:", filter->held[i]))
			return;
	text_append(out, filter->held, length);
	filter->colored = !(length == 3 || (length == 4 && filter->held[2] == '0'));
}

static void feed_text(struct term_filter *filter, unsigned char byte, struct text_buffer *out)
{
	if (filter->held_return && byte != '\n' && byte != '\r')
		/* a progress bar that goes back to the start of its line */
		text_puts(out, filter->keep_return ? "\r" : "\n");
	if (byte != '\r')
		filter->held_return = false;
	if (byte == 0x1b) {
		filter->state = FILTER_ESCAPE;
	} else if (byte >= 0xc2 && byte <= 0xf4) {
		filter->length = 0;
		hold(filter, (char)byte);
		filter->state = FILTER_UTF8;
	} else if (byte == '\r') {
		filter->held_return = true;
	} else if (byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f)) {
		text_append(out, (char *)&byte, 1);
	} else {
		text_puts(out, REPLACEMENT);
	}
}

static void feed_utf8(struct term_filter *filter, unsigned char byte, struct text_buffer *out)
{
	unsigned char first = (unsigned char)filter->held[0];
	size_t want = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if ((byte & 0xc0) != 0x80) {
		filter->state = FILTER_TEXT;
		filter->length = 0;
		text_puts(out, REPLACEMENT);
		feed_text(filter, byte, out);
		return;
	}
	hold(filter, (char)byte);
	if (filter->length == want) {
		filter->state = FILTER_TEXT;
		flush_utf8(filter, out);
	}
}

static void feed_escape(struct term_filter *filter, unsigned char byte)
{
	filter->length = 0;
	if (byte == '[') {
		hold(filter, '\033');
		hold(filter, '[');
		filter->state = FILTER_CSI;
	} else if (strchr("]P^_X", byte) && byte) {
		filter->state = FILTER_STRING;
	} else if (byte >= 0x20 && byte < 0x30) {
		filter->state = FILTER_ESCAPE2;
	} else if (byte != 0x1b) {
		filter->state = FILTER_TEXT;
	}
}

static void feed_string(struct term_filter *filter, unsigned char byte)
{
	if (byte == 0x07 || ++filter->length > FILTER_STRING_MAX)
		filter->state = FILTER_TEXT;
	else if (byte == 0x1b)
		filter->state = FILTER_STRING_ESCAPE;
	if (filter->state == FILTER_TEXT)
		filter->length = 0;
}

static void feed_byte(struct term_filter *filter, unsigned char byte, struct text_buffer *out)
{
	switch ((enum filter_state)filter->state) {
	case FILTER_TEXT:
		feed_text(filter, byte, out);
		break;
	case FILTER_UTF8:
		feed_utf8(filter, byte, out);
		break;
	case FILTER_ESCAPE:
		feed_escape(filter, byte);
		break;
	case FILTER_ESCAPE2:
		if (byte >= 0x30)
			filter->state = FILTER_TEXT;
		break;
	case FILTER_CSI:
		hold(filter, (char)byte);
		if (byte >= 0x40 && byte < 0x7f) {
			finish_csi(filter, (char)byte, out);
		} else if (byte < 0x20 || byte >= 0x7f) { /* not a valid sequence */
			filter->state = FILTER_TEXT;
			filter->length = 0;
			feed_text(filter, byte, out);
		}
		break;
	case FILTER_STRING:
		feed_string(filter, byte);
		break;
	case FILTER_STRING_ESCAPE:
		filter->state = FILTER_TEXT;
		if (byte != '\\')
			feed_escape(filter, byte);
		filter->length = filter->state == FILTER_CSI ? 2 : 0;
		break;
	}
}

void term_filter_feed(struct term_filter *filter, const char *data, size_t size,
		      struct text_buffer *out)
{
	for (size_t i = 0; i < size; i++)
		feed_byte(filter, (unsigned char)data[i], out);
}
