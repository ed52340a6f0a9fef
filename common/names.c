/* SPDX-License-Identifier: Apache-2.0 */
#include "common/names.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_lower_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_digit(c) || (c >= 'A' && c <= 'Z');
}

bool project_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length > PROJECT_NAME_MAX || !is_lower_digit(name[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_lower_digit(name[i]) && !strchr("._-", name[i]))
			return false;
	}
	return strstr(name, "..") == NULL;
}

bool step_slug_valid(const char *slug)
{
	size_t length = strlen(slug);

	if (length < 1 || length > STEP_SLUG_MAX || slug[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_alnum(slug[i]) && !strchr("._-", slug[i]))
			return false;
	}
	return true;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool commit_valid(const char *commit)
{
	size_t length = strlen(commit);

	if (length != 40 && length != 64)
		return false;
	return strspn(commit, "0123456789abcdef") == length;
}

/* One component between slashes: not empty, not ".x", not "x.lock". */
static bool ref_part_valid(const char *part, size_t length)
{
	if (length == 0 || part[0] == '.')
		return false;
	return !(length >= 5 && memcmp(part + length - 5, ".lock", 5) == 0);
}

bool ref_name_valid(const char *ref)
{
	size_t length = strlen(ref);
	const char *part = ref;

	if (length < 1 || length > REF_NAME_MAX || !utf8_valid(ref, length))
		return false;
	if (ref[0] == '-' || ref[length - 1] == '.' || strcmp(ref, "@") == 0)
		return false;
	if (strstr(ref, "..") || strstr(ref, "@{"))
		return false;
	for (const char *c = ref; *c; c++) {
		if ((unsigned char)*c < 0x21 || *c == 0x7f || strchr("~^:?*[\\", *c))
			return false;
		if (*c == '/') {
			if (!ref_part_valid(part, (size_t)(c - part)))
				return false;
			part = c + 1;
		}
	}
	return ref_part_valid(part, strlen(part));
}

bool artifact_key_valid(const char *key)
{
	size_t length = strlen(key);

	if (length < 1 || length > ARTIFACT_KEY_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_alnum(key[i]) && !strchr("._/-", key[i]))
			return false;
	}
	if (key[0] == '/' || key[length - 1] == '/' || strstr(key, "//") || strstr(key, ".."))
		return false;
	/* with "." as a component, one key would have two spellings */
	if (strcmp(key, ".") == 0 || strncmp(key, "./", 2) == 0 || strstr(key, "/./"))
		return false;
	return !(length >= 2 && strcmp(key + length - 2, "/.") == 0);
}

bool env_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length > ENV_NAME_MAX || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_alnum(name[i]) && name[i] != '_')
			return false;
	}
	return true;
}

bool secret_env_valid(const char *env)
{
	size_t length = strlen(env);

	return length >= 1 && length <= SECRET_ENV_MAX && text_printable(env);
}

const char *secret_name_problem(const char *name)
{
	static const char *const taken[] = {"ENV", "CI", "HOME", "PATH", "USER", "LANG", "TERM"};

	if (!env_name_valid(name))
		return "the name of a secret is the name of a variable: letters, digits and _, not "
		       "starting with a digit";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(name, taken[i]) == 0)
			return "every step has a variable of this name, and a secret overrides "
			       "none: choose another name";
	}
	if (strncmp(name, "RUNBOOK_", strlen("RUNBOOK_")) == 0)
		return "names that start with RUNBOOK_ are runbookd's own: choose another name";
	return NULL;
}

/*
 * Length of the well-formed UTF-8 sequence at @s (RFC 3629), 0 if it is malformed.
 */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
	unsigned char lead = s[0];
	size_t n;
	uint32_t point;

	if (lead == 0)
		return 0;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		n = 2;
	else if (lead >= 0xe0 && lead <= 0xef)
		n = 3;
	else if (lead >= 0xf0 && lead <= 0xf4)
		n = 4;
	else
		return 0;
	if (left < n)
		return 0;
	point = lead & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fu);
	}
	if ((n == 3 && point < 0x800) || (n == 4 && (point < 0x10000 || point > 0x10ffff)))
		return 0;
	if (point >= 0xd800 && point <= 0xdfff)
		return 0;
	return n;
}

bool utf8_valid(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < length;) {
		size_t n = utf8_sequence(s + i, length - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* The code point of the well-formed sequence of @n bytes at @s. */
static uint32_t sequence_point(const unsigned char *s, size_t n)
{
	uint32_t point = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		point = point << 6 | (s[i] & 0x3fu);
	return point;
}

static bool point_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/*
 * Invisible and bidirectional characters: a name with one of them may look like another name.
 * Variation selectors are not included: they change the look of the character before them, and
 * many emoji have one. ui/log.js has the same list.
 */
static bool point_unseen(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0xad, 0xad},	    /* soft hyphen */
		{0x34f, 0x34f},	    /* combining grapheme joiner */
		{0x61c, 0x61c},	    /* Arabic letter mark */
		{0x115f, 0x1160},   /* Hangul fillers */
		{0x17b4, 0x17b5},   /* Khmer inherent vowels */
		{0x180e, 0x180e},   /* Mongolian vowel separator */
		{0x200b, 0x200f},   /* zero-width space, joiners, marks of direction */
		{0x2028, 0x202e},   /* line and paragraph separators, embeddings, overrides */
		{0x2060, 0x206f},   /* word joiner, invisible operators, isolates */
		{0x3164, 0x3164},   /* Hangul filler */
		{0xfeff, 0xfeff},   /* zero-width no-break space */
		{0xffa0, 0xffa0},   /* half-width Hangul filler */
		{0xfff0, 0xfffb},   /* unassigned ignorables, interlinear annotation */
		{0x1bca0, 0x1bca3}, /* shorthand format controls */
		{0x1d173, 0x1d17a}, /* musical format controls */
		{0xe0000, 0xe00ff}, /* tags */
		{0xe01f0, 0xe0fff}, /* unassigned ignorables */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges) && point >= ranges[i].first; i++)
		if (point <= ranges[i].last)
			return true;
	return false;
}

/* Embeddings, overrides, isolates and direction marks, which invisibly change the order of text. */
static bool point_reorders(uint32_t point)
{
	return (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
	       point == 0x200e || point == 0x200f;
}

const char *text_problem(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text);
	bool reorders = false;

	while (left > 0) {
		size_t n = utf8_sequence(s, left);

		if (n == 0 || point_control(sequence_point(s, n)))
			return "a control character";
		reorders = reorders || point_reorders(sequence_point(s, n));
		s += n;
		left -= n;
	}
	return reorders ? "a character that turns text around" : NULL;
}

bool text_printable(const char *text)
{
	return text_problem(text) == NULL;
}

bool text_line_valid(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!utf8_valid(text, strlen(text)))
		return false;
	for (size_t n; *s; s += n) {
		n = utf8_sequence(s, strnlen((const char *)s, 4));
		if (n == 0 || point_control(sequence_point(s, n)))
			return false;
	}
	return true;
}

/* Parts of emoji, between which a joiner (U+200D) is legitimate. */
static bool point_picture(uint32_t point)
{
	return (point >= 0x2190 && point <= 0x2bff) || point == 0xfe0f ||
	       (point >= 0x1f000 && point <= 0x1faff);
}

/*
 * Writes the escape of the sequence of @n bytes at @s, or "" if it can be printed as it is.
 * @n: 0: one malformed byte
 * @before: the code point before it, 0: none
 */
static void sequence_escape(char out[16], const unsigned char *s, size_t n, size_t left,
			    uint32_t before)
{
	uint32_t point = n ? sequence_point(s, n) : 0;
	size_t next = n && left > n ? utf8_sequence(s + n, left - n) : 0;

	out[0] = '\0';
	if (n && !point_control(point) && !point_unseen(point))
		return;
	if (point == 0x200d && next && point_picture(before) &&
	    point_picture(sequence_point(s + n, next)))
		return;
	if (n && !point_control(point)) {
		(void)snprintf(out, 16, "<U+%04X>", (unsigned)point);
		return;
	}
	for (size_t i = 0; i < (n ? n : 1); i++)
		(void)snprintf(out + 4 * i, 5, "\\x%02x", s[i]);
}

void text_escape(char *out, size_t size, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text);
	size_t used = 0;
	uint32_t before = 0;

	if (size == 0)
		return;
	while (left > 0) {
		size_t n = utf8_sequence(s, left), taken = n ? n : 1;
		char escaped[16];
		size_t length;

		sequence_escape(escaped, s, n, left, before);
		length = escaped[0] ? strlen(escaped) : taken;
		if (used + length >= size)
			break;
		memcpy(out + used, escaped[0] ? escaped : (const char *)s, length);
		used += length;
		before = n ? sequence_point(s, n) : 0;
		s += taken;
		left -= taken;
	}
	out[used] = '\0';
}

/* Parses decimal digits and moves *@text behind them. Return: 0, -EINVAL, -ERANGE. */
static int parse_digits(const char **text, uint64_t *ret_value)
{
	const char *c = *text;
	uint64_t value = 0;

	if (*c < '0' || *c > '9')
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return -ERANGE;
	}
	*text = c;
	*ret_value = value;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret_seconds)
{
	static const struct {
		char suffix;
		uint64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	uint64_t total = 0;
	size_t unit = 0; /* units must be in descending order, each at most once */

	if (!*text)
		return -EINVAL;
	while (*text) {
		uint64_t value;
		int r = parse_digits(&text, &value);

		if (r < 0)
			return r;
		if (!*text) { /* a number without a unit is seconds, and must be the only one */
			if (unit != 0)
				return -EINVAL;
			*ret_seconds = value;
			return 0;
		}
		while (unit < 4 && units[unit].suffix != *text)
			unit++;
		if (unit == 4)
			return -EINVAL;
		if (__builtin_mul_overflow(value, units[unit].seconds, &value) ||
		    __builtin_add_overflow(total, value, &total))
			return -ERANGE;
		unit++;
		text++;
	}
	*ret_seconds = total;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text) {
		const char *suffix = strchr(suffixes, *text);

		if (!suffix || (text[1] && strcmp(text + 1, "iB") != 0))
			return -EINVAL;
		if (__builtin_mul_overflow(value, KIB << (10 * (suffix - suffixes)), &value))
			return -ERANGE;
	}
	*ret_bytes = value;
	return 0;
}

int parse_cpus(const char *text, uint64_t *ret_milli)
{
	uint64_t whole;
	uint64_t milli = 0;
	int r = parse_digits(&text, &whole);

	if (r < 0)
		return r;
	if (*text == '.') {
		uint64_t weight = 100;

		text++;
		if (!*text)
			return -EINVAL;
		for (; *text >= '0' && *text <= '9'; text++) {
			milli += weight * (uint64_t)(*text - '0');
			weight /= 10;
		}
	}
	if (*text)
		return -EINVAL;
	if (whole > 100000)
		return -ERANGE;
	*ret_milli = whole * 1000 + milli;
	return 0;
}

void text_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char units[] = " KMGT";
	size_t unit = 0;

	while (bytes > 0 && bytes % 1024 == 0 && unit + 2 < sizeof(units)) {
		bytes /= 1024;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(out, size, "%llu", (unsigned long long)bytes);
	else
		(void)snprintf(out, size, "%llu%c", (unsigned long long)bytes, units[unit]);
}

void text_duration(char *out, size_t size, uint64_t msec)
{
	static const struct {
		const char *unit;
		uint64_t msec;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t n = msec / units[i].msec;

		if (n == 0 || used >= size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%llu%s", (unsigned long long)n,
					 units[i].unit);
		msec %= units[i].msec;
	}
	if (used == 0)
		(void)snprintf(out, size, "0s");
}
