/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/findings.h"

#include "common/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_BYTES 60
#define PATH_DEPTH_MAX (RUNBOOK_DEPTH_MAX + 2)

/* The length to cut at, between two characters: half of one would be escaped as garbage. */
static size_t utf8_cut(const char *text, size_t length, size_t max)
{
	if (length <= max)
		return length;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* After printf() has cut a text: remove a character that was cut in two. */
static void utf8_trim(char *text, size_t size, int n_wanted)
{
	size_t end;

	if (n_wanted < 0 || (size_t)n_wanted < size)
		return;
	end = strlen(text);
	while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && !utf8_valid(text + end - 1, strlen(text + end - 1)))
		text[end - 1] = '\0';
}

struct quoted quote(const char *text)
{
	struct quoted result = {.text = ""};
	char part[QUOTED_BYTES + 1];
	size_t length = strlen(text);
	size_t keep = utf8_cut(text, length, QUOTED_BYTES);

	memcpy(part, text, keep);
	part[keep] = '\0';
	text_escape(result.text, sizeof(result.text) - sizeof("..."), part);
	if (keep < length)
		strcat(result.text, "...");
	return result;
}

void node_path_format(char *out, size_t size, const struct node_path *path)
{
	const struct node_path *parts[PATH_DEPTH_MAX];
	size_t n_parts = 0, used = 0;

	for (; path && n_parts < PATH_DEPTH_MAX; path = path->parent)
		parts[n_parts++] = path;
	out[0] = '\0';
	while (n_parts > 0 && used < size) {
		const struct node_path *part = parts[--n_parts];
		int written;

		if (part->key)
			written = snprintf(out + used, size - used, "%s%s", used ? "." : "",
					   QUOTE(part->key));
		else
			written = snprintf(out + used, size - used, "[%zu]", part->index);
		if (written < 0)
			break;
		used += (size_t)written;
	}
	utf8_trim(out, size, (int)used);
}

static bool finding_is_known(const struct findings *findings, const struct runbook_finding *new)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct runbook_finding *old = &findings->list[i];

		if (old->place.line == new->place.line &&
		    old->place.column == new->place.column &&strcmp(old->message, new->message) ==
			    0)
			return true;
	}
	return false;
}

bool findings_full(const struct findings *findings)
{
	return findings->n >= RUNBOOK_FINDINGS_MAX - 1;
}

struct runbook_finding *findings_add(struct findings *findings, struct runbook_place place,
				     const struct node_path *path, const char *format, ...)
{
	struct runbook_finding finding = {.place = place};
	va_list arguments;

	findings->n_reported++;
	va_start(arguments, format);
	utf8_trim(finding.message, sizeof(finding.message),
		  vsnprintf(finding.message, sizeof(finding.message), format, arguments));
	va_end(arguments);
	if (finding_is_known(findings, &finding))
		return NULL;
	/* the last entry of the list is reserved for "… more" */
	if (findings_full(findings)) {
		if (findings->n_dropped++ == 0)
			findings->first_dropped = place;
		return NULL;
	}
	node_path_format(finding.path, sizeof(finding.path), path);
	findings->list[findings->n] = finding;
	return &findings->list[findings->n++];
}

void finding_fix(struct runbook_finding *finding, const char *format, ...)
{
	va_list arguments;

	if (!finding)
		return;
	va_start(arguments, format);
	utf8_trim(finding->fix, sizeof(finding->fix),
		  vsnprintf(finding->fix, sizeof(finding->fix), format, arguments));
	va_end(arguments);
}

static int finding_compare(const void *left, const void *right)
{
	const struct runbook_finding *a = left, *b = right;

	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return strcmp(a->message, b->message);
}

void findings_finish(struct findings *findings)
{
	struct runbook_finding *last;

	if (findings->n > 1)
		qsort(findings->list, findings->n, sizeof(*findings->list), finding_compare);
	if (findings->n_dropped == 0)
		return;
	last = &findings->list[findings->n++];
	*last = (struct runbook_finding){.place = findings->first_dropped};
	(void)snprintf(last->message, sizeof(last->message), "%zu more problem%s from here on",
		       findings->n_dropped, findings->n_dropped == 1 ? "" : "s");
	finding_fix(last, "fix the ones above first");
}

void runbook_finding_format(char *out, size_t size, const char *file,
			    const struct runbook_finding *finding)
{
	char place[32] = "";

	if (finding->place.line)
		(void)snprintf(place, sizeof(place), ":%u:%u", finding->place.line,
			       finding->place.column);
	utf8_trim(out, size,
		  snprintf(out, size, "%s%s: %s%s%s%s%s%s", file, place, finding->path,
			   finding->path[0] ? ": " : "", finding->message,
			   finding->fix[0] ? " (" : "", finding->fix, finding->fix[0] ? ")" : ""));
}
