/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/glob.h"

#include "runbook/runbook.h"

#include <string.h>

/*
 * DOC: Backtracking without exponential cases
 *
 * After a mismatch, matching resumes at a star, which then matches one character more: at the
 * last "*" unless it would have to match a "/", else at the last "**". To resume at an earlier
 * star of the same kind can never help, because the later one can match the same text. So only
 * two places to resume must be kept, and the time is polynomial.
 */

/* The next character after @text (UTF-8: after all bytes of one) */
static const char *next_character(const char *text)
{
	text++;
	while (((unsigned char)*text & 0xc0) == 0x80)
		text++;
	return text;
}

/* End of the class that begins at @pattern ("["), or NULL if it has no end */
static const char *class_end(const char *pattern)
{
	const char *at = pattern + 1;

	if (*at == '!' || *at == '^')
		at++;
	if (*at == ']') /* a "]" at the beginning is one of the characters */
		at++;
	while (*at && *at != ']')
		at += *at == '\\' && at[1] ? 2 : 1;
	return *at ? at + 1 : NULL;
}

/* Is the byte @c in the class at @pattern, which has an end? Never "/". */
static bool class_has(const char *pattern, unsigned char c)
{
	const char *end = class_end(pattern) - 1, *at = pattern + 1;
	bool negated = *at == '!' || *at == '^', found = false;

	if (c == '/')
		return false;
	if (negated)
		at++;
	while (at < end) {
		unsigned char from, to;

		if (*at == '\\' && at + 1 < end)
			at++;
		from = to = (unsigned char)*at++;
		if (at + 1 < end && *at == '-') {
			at++;
			if (*at == '\\' && at + 1 < end)
				at++;
			to = (unsigned char)*at++;
		}
		if (c >= from && c <= to)
			found = true;
	}
	return found != negated;
}

/*
 * Does the element at *@pattern, which is not a star, match at *@text? Moves both behind it.
 */
static bool one_fits(const char **pattern, const char **text)
{
	switch (**pattern) {
	case '\0':
		return false;
	case '?':
		if (**text == '/')
			return false;
		(*pattern)++;
		*text = next_character(*text);
		return true;
	case '[':
		if (!class_end(*pattern)) /* glob_check() refuses it: a plain character */
			break;
		if (!class_has(*pattern, (unsigned char)**text))
			return false;
		*pattern = class_end(*pattern);
		*text = next_character(*text);
		return true;
	case '\\':
		if ((*pattern)[1])
			(*pattern)++;
		break;
	default:
		break;
	}
	if (**pattern != **text)
		return false;
	(*pattern)++;
	(*text)++;
	return true;
}

/** struct retry - where to resume after a mismatch behind a star */
struct retry {
	const char *pattern; /* behind the star; NULL: there was none */
	const char *text;    /* end of the text that the star matches so far */
	bool directories;    /* a star followed by "/", for whole directories only */
};

/* Resumes with the last "**" matching more. Return: false if it cannot. */
static bool retry_deep(struct retry *deep, const char **pattern, const char **text)
{
	if (!deep->pattern || *deep->text == '\0')
		return false;
	if (deep->directories) {
		const char *slash = strchr(deep->text, '/');

		if (!slash)
			return false;
		deep->text = slash;
	}
	deep->text++;
	*pattern = deep->pattern;
	*text = deep->text;
	return true;
}

bool glob_match(const char *pattern, const char *text, uint64_t *steps)
{
	struct retry star = {0}, deep = {0};
	const char *start = pattern;

	while (*steps > 0) {
		--*steps;
		if (pattern[0] == '*' && pattern[1] == '*') {
			bool at_start = pattern == start || pattern[-1] == '/';

			while (*pattern == '*')
				pattern++;
			deep.directories = at_start && *pattern == '/';
			if (deep.directories)
				pattern++;
			deep.pattern = pattern;
			deep.text = text;
			star.pattern = NULL;
			continue;
		}
		if (*pattern == '*') {
			star.pattern = ++pattern;
			star.text = text;
			continue;
		}
		if (*text == '\0' && *pattern == '\0')
			return true;
		if (*text && one_fits(&pattern, &text))
			continue;
		if (star.pattern && *star.text && *star.text != '/') {
			pattern = star.pattern;
			text = ++star.text;
			continue;
		}
		star.pattern = NULL;
		if (!retry_deep(&deep, &pattern, &text))
			return false;
	}
	return false;
}

bool runbook_globs_match(const struct runbook_globs *globs, const char *text, uint64_t *steps)
{
	bool chosen = true;

	for (size_t i = 0; i < globs->n_items; i++) {
		if (globs->items[i][0] != '!')
			chosen = false; /* only exclusions: everything else is selected */
	}
	for (size_t i = globs->n_items; i-- > 0;) {
		bool excludes = globs->items[i][0] == '!';

		if (glob_match(globs->items[i] + excludes, text, steps))
			return !excludes;
		if (*steps == 0)
			return false;
	}
	return chosen;
}

const char *glob_check(const char *pattern, const char **ret_fix)
{
	size_t length = strlen(pattern);

	*ret_fix = "write a name or a pattern such as \"release/*\"";
	if (*pattern == '!')
		pattern++, length--;
	if (length == 0)
		return "is empty";
	if (pattern[0] == '!') {
		*ret_fix = "write one \"!\", or \"\\!\" for the character";
		return "begins with two \"!\"";
	}
	if (pattern[0] == '/') {
		*ret_fix =
			"leave it out: patterns begin at the top, and are not regular expressions";
		return "begins with \"/\"";
	}
	if (strncmp(pattern, "./", 2) == 0 || strcmp(pattern, ".") == 0) {
		*ret_fix = "leave it out: patterns begin at the top of the repository";
		return "begins with \"./\"";
	}
	if (pattern[length - 1] == '/') {
		*ret_fix = "write \"**\" behind it, for all that is in the directory";
		return "ends with \"/\"";
	}
	for (const char *at = pattern; *at; at++) {
		if (*at == '\\') {
			if (!at[1]) {
				*ret_fix = "write \"\\\\\" for the character";
				return "ends with \"\\\"";
			}
			at++;
		} else if (*at == '{') {
			*ret_fix = "write one pattern for each, or \"\\{\" for the character";
			return "has braces, which patterns do not know";
		} else if (*at == '[') {
			if (!class_end(at)) {
				*ret_fix =
					"close it with \"]\", or write \"\\[\" for the character";
				return "has a \"[\" without its \"]\"";
			}
			at = class_end(at) - 1;
		}
	}
	return NULL;
}
