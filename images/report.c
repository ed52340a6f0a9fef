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

static int parse_errno(const char *text, int *number)
{
	uint64_t value;

	if (parse_count(text, &value) < 0 || value == 0 || value > ERRNO_MAX)
		return -EBADMSG;
	*number = (int)value;
	return 0;
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
	/* the list's room is doubled at each power of two */
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
	case 'E':
		return parse_errno(value, &report->number);
	case 'M':
		report->damaged = true;
		return *value ? -EBADMSG : 0;
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
	if (r == 0 && !ret_report->refusal &&
	    (!ret_report->layer || ret_report->damaged || ret_report->number))
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
