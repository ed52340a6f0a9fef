/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

void format_duration(char *out, size_t size, uint64_t usec)
{
	uint64_t seconds = usec / USEC_PER_SEC;

	if (seconds < 60)
		(void)snprintf(out, size, "%" PRIu64 ".%us", seconds,
			       (unsigned)(usec % USEC_PER_SEC / (100 * USEC_PER_MSEC)));
	else if (seconds < 3600)
		(void)snprintf(out, size, "%" PRIu64 "m %02us", seconds / 60,
			       (unsigned)(seconds % 60));
	else if (seconds < 86400)
		(void)snprintf(out, size, "%" PRIu64 "h %02um", seconds / 3600,
			       (unsigned)(seconds % 3600 / 60));
	else
		(void)snprintf(out, size, "%" PRIu64 "d %02uh", seconds / 86400,
			       (unsigned)(seconds % 86400 / 3600));
}

void format_age(char *out, size_t size, uint64_t now_usec, uint64_t then_usec)
{
	uint64_t seconds = now_usec > then_usec ? (now_usec - then_usec) / USEC_PER_SEC : 0;
	time_t then = (time_t)(then_usec / USEC_PER_SEC);
	struct tm parts;

	if (seconds < 1)
		(void)snprintf(out, size, "just now");
	else if (seconds < 60)
		(void)snprintf(out, size, "%" PRIu64 "s ago", seconds);
	else if (seconds < 3600)
		(void)snprintf(out, size, "%" PRIu64 "m ago", seconds / 60);
	else if (seconds < 86400)
		(void)snprintf(out, size, "%" PRIu64 "h ago", seconds / 3600);
	else if (seconds < 60 * 86400)
		(void)snprintf(out, size, "%" PRIu64 "d ago", seconds / 86400);
	else if (!localtime_r(&then, &parts) || strftime(out, size, "%Y-%m-%d", &parts) == 0)
		(void)snprintf(out, size, "long ago");
}

void format_amount(char *out, size_t size, uint64_t bytes)
{
	char text[32];
	size_t length;

	/* "84.1 MiB" becomes "84.1M" */
	format_bytes(text, sizeof(text), bytes);
	length = strcspn(text, " ");
	(void)snprintf(out, size, "%.*s%.1s", (int)length, text,
		       text[length + 1] == 'B' ? "" : text + length + 1);
}

void format_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < KIB) {
		(void)snprintf(out, size, "%" PRIu64 " B", bytes);
		return;
	}
	value /= 1024;
	while (value >= 1023.95 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(out, size, "%.1f %s", value, units[unit]);
}

size_t text_distance(const char *one, const char *other)
{
	size_t row[64], n = strnlen(one, 63), m = strnlen(other, 63);

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (one[i - 1] != other[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

size_t text_decode(const char *text, size_t length, int32_t *ret_code)
{
	static const int32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)text[0];
	size_t want = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	int32_t code;

	*ret_code = -1;
	if (want == 0 || first > 0xf4 || want > length)
		return 1;
	code = want == 1 ? first : first & (0x7f >> want);
	for (size_t i = 1; i < want; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (code < smallest[want] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 1;
	*ret_code = code;
	return want;
}

/* Length of the SGR sequence at the start of @text, or 0. */
static size_t sgr_length(const char *text)
{
	size_t length;

	if (text[0] != '\033' || text[1] != '[')
		return 0;
	length = 2 + strspn(text + 2, "0123456789;:");
	return text[length] == 'm' ? length + 1 : 0;
}

static size_t code_width(int32_t code)
{
	int width = code < 0 ? 1 : wcwidth((wchar_t)code);

	return width < 0 ? 0 : (size_t)width;
}

size_t text_width(const char *text)
{
	size_t width = 0, length = strlen(text);

	while (length > 0) {
		size_t taken = sgr_length(text);
		int32_t code;

		if (taken == 0) {
			taken = text_decode(text, length, &code);
			width += code_width(code);
		}
		text += taken;
		length -= taken;
	}
	return width;
}

void text_cut(char *out, size_t size, const char *text, size_t columns, bool utf8)
{
	const char *ellipsis = utf8 ? "…" : "...";
	size_t dots = utf8 ? 1 : 3, length = strlen(text), used = 0, width = 0;
	bool cut = text_width(text) > columns;
	size_t room = cut ? (columns > dots ? columns - dots : 0) : columns;

	if (size == 0)
		return;
	while (length > 0) {
		size_t taken = sgr_length(text);
		size_t columns_taken = 0;

		if (taken == 0) {
			int32_t code;

			taken = text_decode(text, length, &code);
			columns_taken = code_width(code);
		}
		if (width + columns_taken > room || used + taken + sizeof("…") >= size) {
			cut = true;
			break;
		}
		memcpy(out + used, text, taken);
		used += taken;
		width += columns_taken;
		text += taken;
		length -= taken;
	}
	out[used] = '\0';
	if (cut && columns >= dots && used + strlen(ellipsis) < size)
		memcpy(out + used, ellipsis, strlen(ellipsis) + 1);
}

void text_append(struct text_buffer *buffer, const char *data, size_t size)
{
	if (buffer->failed)
		return;
	if (buffer->room - buffer->size <= size) {
		size_t room = buffer->room ? buffer->room * 2 : 256;
		char *grown;

		while (room - buffer->size <= size)
			room *= 2;
		grown = realloc(buffer->data, room);
		if (!grown) {
			buffer->failed = true;
			return;
		}
		buffer->data = grown;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void text_puts(struct text_buffer *buffer, const char *text)
{
	text_append(buffer, text, strlen(text));
}

void text_printf(struct text_buffer *buffer, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list list;
	int length;

	va_start(list, format);
	length = vasprintf(&text, format, list);
	va_end(list);
	if (length < 0) {
		text = NULL;
		buffer->failed = true;
		return;
	}
	text_append(buffer, text, (size_t)length);
}

void text_buffer_done(struct text_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct text_buffer){0};
}

static const struct {
	const char *name, *color, *glyph, *ascii;
	bool final;
} states[] = {
	{"pending", SGR_DIM, "·", ".", false},	   {"ready", SGR_BLUE, "○", "o", false},
	{"running", SGR_CYAN, "●", "*", false},	   {"succeeded", SGR_GREEN, "✓", "+", true},
	{"failed", SGR_RED, "✗", "x", true},	   {"errored", SGR_MAGENTA, "!", "!", true},
	{"cancelled", SGR_YELLOW, "⊘", "/", true}, {"skipped", SGR_DIM, "→", ">", true},
};

const char *state_color(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].name, state) == 0)
			return states[i].color;
	return "";
}

const char *state_glyph(const char *state, bool utf8)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].name, state) == 0)
			return utf8 ? states[i].glyph : states[i].ascii;
	return "?";
}

bool state_final(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].name, state) == 0)
			return states[i].final;
	return false;
}
