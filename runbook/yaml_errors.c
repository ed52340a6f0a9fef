/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/yaml.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <string.h>

#define TAG_DIRECTIVES_MAX 8

/*
 * libyaml's messages describe the state of its scanner; people need to know their mistake and
 * the fix. The table maps the former to the latter.
 */
static const struct {
	const char *problem;
	bool at_context; /* the mistake is at the start of the construct */
	const char *message;
	const char *fix;
} sentences[] = {
	{"could not find expected ':'", true, "this line is not \"key: value\"",
	 "write \"key: value\", indent text that belongs to the line above, or quote it"},
	{"mapping values are not allowed in this context", false, "a \":\" is not expected here",
	 "quote a value that contains \": \", write a space after the \":\" of a key, and check "
	 "the indentation"},
	{"did not find expected key", false, "more text behind a value that has ended",
	 "quote the whole value; a quote inside single quotes is written twice"},
	{"block sequence entries are not allowed in this context", false,
	 "a list entry is not expected here", "put the list on the line after its key, indented"},
	{"block mapping keys are not allowed in this context", false, "a key is not expected here",
	 "check the indentation of this line"},
	{"did not find expected ',' or ']'", true, "a list in brackets does not end",
	 "separate its entries with \",\" and close it with \"]\""},
	{"did not find expected ',' or '}'", true, "a map in braces does not end",
	 "separate its entries with \",\" and close it with \"}\""},
	{"did not find expected node content", false, "a value is missing",
	 "write a value, or remove what asks for one"},
	{"found character that cannot start any token", false,
	 "a value cannot begin with this character", "quote the value"},
	{"did not find expected alphabetic or numeric character", true,
	 "a value that begins with \"*\" or \"&\" is an alias or an anchor",
	 "quote the value, or give the alias a name of letters and digits"},
	{"found unexpected end of stream", true, "a quoted text does not end",
	 "close the quote; a quote inside single quotes is written twice"},
	{"found unexpected document indicator", true, "a quoted text does not end",
	 "close the quote before the line with \"---\" or \"...\""},
	{"found unknown escape character", false, "unknown escape in a double-quoted text",
	 "write \"\\\\\" for a backslash, or use single quotes or a block (|)"},
	{"did not find expected hexdecimal number", false, "bad number in an escape",
	 "write \\xNN, \\uNNNN or \\UNNNNNNNN, or use single quotes"},
	{"found invalid Unicode character escape code", false, "an escape for no character",
	 "write \\xNN, \\uNNNN or \\UNNNNNNNN with a valid code, or use single quotes"},
	{"did not find expected comment or line break", false,
	 "text after the sign that begins a block", "begin the text on the next line, indented"},
	{"found an indentation indicator equal to 0", false, "a block cannot be indented by 0",
	 "write \"|\" and indent the text"},
	{"did not find expected <document start>", false,
	 "the document has ended, but something follows",
	 "start every line at the top level with a key, and keep one document in the file"},
	{"found undefined tag handle", false, "unknown tag",
	 "remove the tag (the word with \"!\")"},
	{"found duplicate %YAML directive", false, "two %YAML directives", "remove one"},
	{"found incompatible YAML document", false, "unknown YAML version",
	 "write %YAML 1.2, or leave the directive out"},
	{"found unknown directive name", false, "unknown directive",
	 "quote a value that begins with \"%\"; directives are not needed"},
	{"exceeded maximum", false, "too deeply nested", "flatten the structure"},
};

/* The line with number @line from 1, or NULL */
static const char *line_find(const char *data, size_t size, unsigned line, size_t *ret_length)
{
	const char *end = data + size, *next;

	for (; line > 1; line--) {
		next = memchr(data, '\n', (size_t)(end - data));
		if (!next)
			return NULL;
		data = next + 1;
	}
	next = memchr(data, '\n', (size_t)(end - data));
	*ret_length = (size_t)((next ? next : end) - data);
	return data;
}

/*
 * Column (from 1) of a tab that indents the line of @place or is at its column; 0: none. Tabs
 * look like blanks in an editor, so this error gets a sentence of its own.
 */
static unsigned tab_find(const char *data, size_t size, struct runbook_place place)
{
	size_t length, i = 0;
	const char *line = line_find(data, size, place.line, &length);

	if (!line)
		return 0;
	while (i < length && (line[i] == ' ' || line[i] == '-'))
		i++;
	if (i < length && line[i] == '\t')
		return (unsigned)i + 1;
	if (place.column <= length && line[place.column - 1] == '\t')
		return place.column;
	return 0;
}

/* Is a key or a "-" missing at the beginning of a line? Then its indentation is wrong. */
static bool is_misaligned(const struct syntax_error *error, const char *data, size_t size)
{
	size_t length, i = 0;
	const char *line = line_find(data, size, error->problem_place.line, &length);

	if (strcmp(error->problem, "did not find expected '-' indicator") == 0)
		return true;
	if (!line || strcmp(error->problem, "did not find expected key") != 0)
		return false;
	while (i < length && line[i] == ' ')
		i++;
	return i + 1 == error->problem_place.column;
}

static struct runbook_place place_of_offset(const char *data, size_t offset)
{
	struct runbook_place place = {.line = 1, .column = 1};

	for (size_t i = 0; i < offset; i++) {
		if (data[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if (((unsigned char)data[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

static void report_tab(struct runbook_place place, unsigned column, struct findings *findings)
{
	struct runbook_finding *finding;

	place.column = column;
	finding = findings_add(findings, place, NULL, "a tab is used for indentation");
	finding_fix(finding, "use spaces: YAML does not allow tabs there");
}

void syntax_error_report(const struct syntax_error *error, const char *data, size_t size,
			 struct findings *findings)
{
	struct runbook_finding *finding;
	const char *problem = error->problem ? error->problem : "not YAML";
	unsigned tab;

	if (error->in_reader) {
		size_t offset = error->offset < size ? error->offset : size;

		finding = findings_add(findings, place_of_offset(data, offset), NULL,
				       "a control character, which YAML does not allow");
		finding_fix(finding, "remove it, or write it as an escape in double quotes");
		return;
	}
	tab = tab_find(data, size, error->problem_place);
	if (tab) {
		report_tab(error->problem_place, tab, findings);
		return;
	}
	if (error->problem && is_misaligned(error, data, size)) {
		finding = findings_add(findings, error->problem_place, NULL,
				       "this line does not line up with what is above it");
		finding_fix(finding, "start the keys of one map, and the \"-\" of one list, in the "
				     "same column");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		bool at_context = sentences[i].at_context && error->context_place.line;

		if (!strstr(problem, sentences[i].problem))
			continue;
		finding = findings_add(findings,
				       at_context ? error->context_place : error->problem_place,
				       NULL, "%s", sentences[i].message);
		finding_fix(finding, "%s", sentences[i].fix);
		return;
	}
	finding = findings_add(findings, error->problem_place, NULL, "not valid YAML: %s%s%s",
			       error->context ? error->context : "", error->context ? ", " : "",
			       problem);
	finding_fix(finding, "check indentation, quotes and colons here and on the line above");
}

/* Offset of the first byte that is not part of well-formed UTF-8, NUL included; @size: none */
static size_t utf8_first_bad(const char *data, size_t size)
{
	size_t offset = 0, n;

	if (utf8_valid(data, size))
		return size;
	while (offset < size) {
		for (n = 1; n <= 4 && n <= size - offset; n++) {
			if (utf8_valid(data + offset, n))
				break;
		}
		if (n > 4 || n > size - offset)
			break;
		offset += n;
	}
	return offset;
}

/* Does a line begin at @offset? libyaml also breaks lines at CR, NEL, LS and PS. */
static bool is_line_start(const char *data, size_t offset)
{
	static const char *const breaks[] = {"\n", "\r", "\xc2\x85", "\xe2\x80\xa8",
					     "\xe2\x80\xa9"};

	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		size_t length = strlen(breaks[i]);

		if (offset >= length && memcmp(data + offset - length, breaks[i], length) == 0)
			return true;
	}
	return offset == 0;
}

/*
 * libyaml compares each %TAG directive with all earlier ones, so a file full of them takes
 * seconds. A runbook needs none.
 */
static bool check_tag_directives(const char *data, size_t size, struct findings *findings)
{
	static const char directive[] = "%TAG";
	const char *at = data;
	size_t n = 0;

	while ((at = memmem(at, size - (size_t)(at - data), directive, strlen(directive)))) {
		size_t offset = (size_t)(at - data);

		if (is_line_start(data, offset) && ++n > TAG_DIRECTIVES_MAX) {
			finding_fix(findings_add(findings, place_of_offset(data, offset), NULL,
						 "more than %d %%TAG directives",
						 TAG_DIRECTIVES_MAX),
				    "remove them: a runbook has only the standard tags");
			return false;
		}
		at += strlen(directive);
	}
	return true;
}

bool bytes_check(const char *data, size_t size, struct findings *findings)
{
	struct runbook_place start = {.line = 1, .column = 1};
	struct runbook_finding *finding;
	size_t bad;

	if (size > RUNBOOK_BYTES_MAX) {
		finding = findings_add(findings, start, NULL,
				       "the file is larger than 1 MiB (%llu bytes)",
				       RUNBOOK_BYTES_MAX);
		finding_fix(finding, "move scripts and data into files of the repository");
		return false;
	}
	if (size >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0)) {
		finding = findings_add(findings, start, NULL, "the file is UTF-16");
		finding_fix(finding, "save it as UTF-8");
		return false;
	}
	bad = utf8_first_bad(data, size);
	if (bad == size)
		return check_tag_directives(data, size, findings);
	if (data[bad] == '\0') {
		finding = findings_add(findings, place_of_offset(data, bad), NULL, "a NUL byte");
		finding_fix(finding, "remove it: a runbook is text");
		return false;
	}
	finding = findings_add(findings, place_of_offset(data, bad), NULL,
			       "a byte that is not UTF-8 (0x%02x)", (unsigned char)data[bad]);
	finding_fix(finding, "save the file as UTF-8");
	return false;
}
