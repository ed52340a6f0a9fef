/* SPDX-License-Identifier: Apache-2.0 */
#include "images/report.h"

#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_count(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

static int add_opaque(struct report *report, const char *path)
{
	const char **grown;

	if (*path == '\0') {
		report->cut = true;
		return 0;
	}
	if (path[0] == '/' || report->n_opaque == IMAGE_OPAQUE_MAX)
		return -EBADMSG;
	/* doubled at each power of two */
	if ((report->n_opaque & (report->n_opaque - 1)) == 0) {
		grown = reallocarray((void *)report->opaque,
				     report->n_opaque ? report->n_opaque * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		report->opaque = grown;
	}
	report->opaque[report->n_opaque++] = path;
	return 0;
}

static int parse_item(const char *item, struct report *report)
{
	const char *value = item + 1;

	switch (*item) {
	case 'D':
		report->layer = value;
		return image_id_valid(value) ? 0 : -EBADMSG;
	case 'B':
		return parse_count(value, &report->bytes);
	case 'N':
		return parse_count(value, &report->entries);
	case 'O':
		return add_opaque(report, value);
	case 'P':
		report->passwd = value;
		return 0;
	case 'G':
		report->group = value;
		return 0;
	case 'X':
		report->refusal = value;
		return text_printable(value) ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

int report_parse(const char *data, size_t size, struct report *ret_report)
{
	int r = 0;

	*ret_report = (struct report){0};
	if (size < 2 || data[size - 1] != '\0' || data[size - 2] != '.' ||
	    (size > 2 && data[size - 3] != '\0'))
		return -EBADMSG;
	for (size_t at = 0; r == 0 && at < size - 2; at += strlen(data + at) + 1)
		r = parse_item(data + at, ret_report);
	if (r == 0 && !ret_report->refusal && !ret_report->layer)
		r = -EBADMSG;
	if (r < 0)
		report_clear(ret_report);
	return r;
}

void report_clear(struct report *report)
{
	free((void *)report->opaque);
	report->opaque = NULL;
	report->n_opaque = 0;
}

/* ---- users ---- */

/* Field @index of the line at @line, which ends at a newline or NUL. */
static const char *field(const char *line, unsigned index, size_t *ret_length)
{
	for (; index > 0; index--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return NULL;
		line++;
	}
	*ret_length = strcspn(line, ":\n");
	return line;
}

static bool field_is(const char *line, unsigned index, const char *text)
{
	size_t length = 0;
	const char *at = field(line, index, &length);

	return at && strlen(text) == length && memcmp(at, text, length) == 0;
}

static int field_number(const char *line, unsigned index, uint32_t *ret_number)
{
	size_t length = 0;
	const char *at = field(line, index, &length);
	unsigned long number = 0;

	if (!at || length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -EINVAL;
		number = number * 10 + (unsigned long)(at[i] - '0');
	}
	if (number >= ID_STEP_RANGE)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

/* The line of @text whose field @index is @wanted, or NULL. */
static const char *line_find(const char *text, unsigned index, const char *wanted)
{
	while (text && *text) {
		if (field_is(text, index, wanted))
			return text;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

int user_resolve(const char *user, const char *passwd, const char *group, uint32_t *ret_uid,
		 uint32_t *ret_gid, struct error *error)
{
	const char *colon = strchr(user, ':');
	const char *line;
	char name[256];

	*ret_uid = *ret_gid = 0;
	if (*user == '\0')
		return 0;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon ? colon - user : 255), user);
	if (field_number(name, 0, ret_uid) == 0) {
		line = line_find(passwd, 2, name);
	} else {
		line = line_find(passwd, 0, name);
		if (!line || field_number(line, 2, ret_uid) < 0)
			return error_set(error, EINVAL,
					 "the image runs as user \"%.100s\", which its /etc/passwd "
					 "does not have",
					 name);
	}
	if (!colon) {
		if (line)
			(void)field_number(line, 3, ret_gid);
		return 0;
	}
	(void)snprintf(name, sizeof(name), "%s", colon + 1);
	if (field_number(name, 0, ret_gid) == 0)
		return 0;
	line = line_find(group, 0, name);
	if (!line || field_number(line, 2, ret_gid) < 0)
		return error_set(
			error, EINVAL,
			"the image runs as group \"%.100s\", which its /etc/group does not "
			"have",
			name);
	return 0;
}
