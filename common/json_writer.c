/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json_writer.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512

void json_clear(struct json *json)
{
	free(json->text);
	*json = (struct json){0};
}

/* Return: room for @size more bytes and a NUL, or NULL if out of memory. */
static char *json_reserve(struct json *json, size_t size)
{
	size_t room = json->room ? json->room : ROOM_MIN;
	char *larger;

	if (json->failed)
		return NULL;
	while (room - json->length <= size)
		room *= 2;
	if (room != json->room) {
		larger = realloc(json->text, room);
		if (!larger) {
			json->failed = true;
			return NULL;
		}
		json->text = larger;
		json->room = room;
	}
	return json->text + json->length;
}

static void json_append(struct json *json, const char *text, size_t length)
{
	char *end = json_reserve(json, length);

	if (!end)
		return;
	memcpy(end, text, length);
	end[length] = '\0';
	json->length += length;
}

static void json_quoted(struct json *json, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	/* at most six bytes for each byte, and the quotes */
	char *end = json_reserve(json, strlen(text) * 6 + 2);

	if (!end)
		return;
	*end++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			*end++ = '\\';
			*end++ = *text;
		} else if (c < 0x20 || c == 0x7f) {
			memcpy(end, "\\u00", 4);
			end[4] = digits[c >> 4];
			end[5] = digits[c & 0xf];
			end += 6;
		} else {
			*end++ = *text;
		}
	}
	*end++ = '"';
	*end = '\0';
	json->length = (size_t)(end - json->text);
}

static void json_start(struct json *json, const char *key)
{
	if (json->comma)
		json_append(json, ",", 1);
	json->comma = true;
	if (json->line)
		json_append(json, "\n  ", 3);
	json->line = false;
	if (key) {
		json_quoted(json, key);
		json_append(json, ":", 1);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	json_start(json, key);
	json_append(json, &bracket, 1);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	if (json->line)
		json_append(json, "\n", 1);
	json->line = false;
	json_append(json, &bracket, 1);
	json->comma = true;
}

void json_raw(struct json *json, const char *key, const char *text, size_t length)
{
	json_start(json, key);
	json_append(json, text, length);
}

void json_text(struct json *json, const char *key, const char *text)
{
	cleanup_free char *escaped = NULL;
	size_t length;

	json_start(json, key);
	if (!text) {
		json_append(json, "null", 4);
		return;
	}
	length = strlen(text);
	if (!utf8_valid(text, length)) {
		escaped = malloc(length * 4 + 1);
		if (!escaped) {
			json->failed = true;
			return;
		}
		text_escape(escaped, length * 4 + 1, text);
		text = escaped;
	}
	json_quoted(json, text);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%" PRIu64, number);

	json_start(json, key);
	json_append(json, text, (size_t)length);
}

void json_signed(struct json *json, const char *key, int64_t number)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%" PRId64, number);

	json_start(json, key);
	json_append(json, text, (size_t)length);
}

void json_number_or_null(struct json *json, const char *key, uint64_t number)
{
	if (number)
		json_number(json, key, number);
	else
		json_text(json, key, NULL);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_start(json, key);
	json_append(json, value ? "true" : "false", value ? 4 : 5);
}

void json_line(struct json *json)
{
	json->line = true;
}

char *json_take(struct json *json, size_t *ret_size)
{
	char *text = json->failed ? NULL : TAKE_PTR(json->text);

	*ret_size = text ? json->length : 0;
	json_clear(json);
	return text;
}

int json_print(struct json *json, FILE *out)
{
	int r = json->failed ? -ENOMEM : 0;

	if (r == 0) {
		(void)fwrite(json->text, 1, json->length, out);
		(void)fputc('\n', out);
	}
	json_clear(json);
	return r;
}
