/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/yaml.h"

#include <assert.h>
#include <string.h>

#include "common/cleanup.h"

/* Types of plain scalars: YAML 1.2.2, section 10.3.2. "yes" and "on" are text and
 * "0777" is a decimal number there, unlike in YAML 1.1. */

static const char *const kind_names[] = {
	[NODE_NULL] = "nothing",   [NODE_BOOL] = "a truth value", [NODE_INT] = "a number",
	[NODE_FLOAT] = "a number", [NODE_TEXT] = "text",	  [NODE_LIST] = "a list",
	[NODE_MAP] = "a map",
};
static_assert(ARRAY_SIZE(kind_names) == NODE_NUM_KINDS, "every kind has a name");

const char *node_kind_name(enum node_kind kind)
{
	return kind_names[kind];
}

static const struct {
	const char *text;
	enum node_kind kind;
} words[] = {
	{"", NODE_NULL},      {"~", NODE_NULL},	    {"null", NODE_NULL},  {"Null", NODE_NULL},
	{"NULL", NODE_NULL},  {"true", NODE_BOOL},  {"True", NODE_BOOL},  {"TRUE", NODE_BOOL},
	{"false", NODE_BOOL}, {"False", NODE_BOOL}, {"FALSE", NODE_BOOL}, {".nan", NODE_FLOAT},
	{".NaN", NODE_FLOAT}, {".NAN", NODE_FLOAT},
};

static const char digits[] = "0123456789";

static bool is_based_int(const char *text)
{
	const char *allowed;

	if (text[0] != '0' || !text[1] || !text[2])
		return false;
	if (text[1] == 'o')
		allowed = "01234567";
	else if (text[1] == 'x')
		allowed = "0123456789abcdefABCDEF";
	else
		return false;
	return text[2 + strspn(text + 2, allowed)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, or [-+]?.inf */
static enum node_kind number_kind(const char *text)
{
	enum node_kind kind = NODE_INT;
	size_t whole, part = 0;

	if (*text == '-' || *text == '+')
		text++;
	if (strcmp(text, ".inf") == 0 || strcmp(text, ".Inf") == 0 || strcmp(text, ".INF") == 0)
		return NODE_FLOAT;
	whole = strspn(text, digits);
	text += whole;
	if (*text == '.') {
		kind = NODE_FLOAT;
		part = strspn(++text, digits);
		text += part;
	}
	if (whole + part == 0)
		return NODE_TEXT;
	if (*text == 'e' || *text == 'E') {
		kind = NODE_FLOAT;
		text++;
		if (*text == '-' || *text == '+')
			text++;
		if (strspn(text, digits) == 0)
			return NODE_TEXT;
		text += strspn(text, digits);
	}
	return *text == '\0' ? kind : NODE_TEXT;
}

enum node_kind scalar_kind(const char *text, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i].text) == length && memcmp(words[i].text, text, length) == 0)
			return words[i].kind;
	}
	return is_based_int(text) ? NODE_INT : number_kind(text);
}
