/* SPDX-License-Identifier: Apache-2.0 */
/* In a file of its own, apart from step_user.c: the static runbook-init links only this. */
#include "common/account_home.h"

#include <string.h>

#define FIELD_ID 2
#define FIELD_HOME 5

/** struct line - a line of a text, or one of its fields between colons */
struct line {
	const char *start, *end; /* .end: at its newline, or at the end of the text */
};

/* Return: whether there is a line at @at; *@ret_next is the start of the next one. */
static bool line_next(const char *at, const char *text_end, struct line *ret_line,
		      const char **ret_next)
{
	const char *end = at;

	if (at >= text_end)
		return false;
	while (end < text_end && *end != '\n')
		end++;
	*ret_line = (struct line){at, end};
	*ret_next = end < text_end ? end + 1 : end;
	return true;
}

/* Return: whether the line has field @number. */
static bool line_field(const struct line *line, unsigned number, struct line *ret_field)
{
	const char *start = line->start, *end;

	for (; number > 0; number--) {
		while (start < line->end && *start != ':')
			start++;
		if (start == line->end)
			return false;
		start++;
	}
	for (end = start; end < line->end && *end != ':';)
		end++;
	*ret_field = (struct line){start, end};
	return true;
}

/* Comments, and lines that include the entries of a directory service, are not entries. */
static bool line_has_id(const struct line *line, uint32_t id)
{
	struct line field = {0};
	uint64_t number = 0;

	if (line->start == line->end || *line->start == '#' || *line->start == '+' ||
	    *line->start == '-' || *line->start == ':')
		return false;
	if (!line_field(line, FIELD_ID, &field) || field.start == field.end ||
	    field.end - field.start > 10)
		return false;
	for (const char *at = field.start; at < field.end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	return number == id;
}

bool account_home_valid(const char *home)
{
	size_t length = 0;

	for (; home[length]; length++) {
		if (length >= ACCOUNT_HOME_MAX || home[length] == ':' ||
		    (unsigned char)home[length] < 0x20 || home[length] == 0x7f)
			return false;
	}
	return home[0] == '/';
}

static char *put(char *out, const char *bytes, size_t size)
{
	(void)memcpy(out, bytes, size);
	return out + size;
}

static char *put_text(char *out, const char *text)
{
	return put(out, text, strlen(text));
}

static char *put_number(char *out, uint32_t number)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		*out++ = digits[--n];
	return out;
}

/* A name for a user without one in the image: "root" or "step1000". */
static char *put_name(char *out, uint32_t id)
{
	return id == 0 ? put_text(out, "root") : put_number(put_text(out, "step"), id);
}

/* Writes the text, and a newline after its last line if that is missing. */
static char *put_before(char *out, const char *text, size_t size)
{
	out = put(out, text, size);
	if (size > 0 && text[size - 1] != '\n')
		*out++ = '\n';
	return out;
}

size_t account_home_passwd(const char *text, size_t size, uint32_t uid, uint32_t gid,
			   const char *home, char *out, bool *ret_added)
{
	const char *text_end = text + size, *at = text;
	size_t length = strlen(home);
	struct line line, field;
	char *end;

	*ret_added = false;
	if (!account_home_valid(home))
		return 0;
	while (line_next(at, text_end, &line, &at)) {
		if (!line_has_id(&line, uid) || !line_field(&line, FIELD_HOME, &field))
			continue;
		if ((size_t)(field.end - field.start) == length &&
		    memcmp(field.start, home, length) == 0)
			return 0;
		end = put(out, text, (size_t)(field.start - text));
		end = put(end, home, length);
		end = put(end, field.end, (size_t)(text_end - field.end));
		return (size_t)(end - out);
	}
	*ret_added = true;
	end = put_name(put_before(out, text, size), uid);
	end = put_number(put_text(end, ":x:"), uid);
	end = put_number(put_text(end, ":"), gid);
	end = put(put_text(end, "::"), home, length);
	end = put_text(end, ":/bin/sh\n");
	return (size_t)(end - out);
}

size_t account_home_group(const char *text, size_t size, uint32_t gid, char *out)
{
	const char *text_end = text + size, *at = text;
	struct line line;
	char *end;

	while (line_next(at, text_end, &line, &at)) {
		if (line_has_id(&line, gid))
			return 0;
	}
	end = put_name(put_before(out, text, size), gid);
	end = put_number(put_text(end, ":x:"), gid);
	end = put_text(end, ":\n");
	return (size_t)(end - out);
}
