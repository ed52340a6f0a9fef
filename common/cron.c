/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cron.h"

#include "common/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n"

/** struct field - one of the five fields of a schedule */
struct field {
	const char *name;
	unsigned min, max;
	const char *const *words; /* names of values from .first_word on; NULL: numbers only */
	size_t n_words;
	unsigned first_word;
	const char *range; /* for people */
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
				     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const struct field fields[N_FIELDS] = {
	[MINUTE] = {"minute", 0, 59, NULL, 0, 0, "0 to 59"},
	[HOUR] = {"hour", 0, 23, NULL, 0, 0, "0 to 23"},
	[DAY] = {"day of the month", 1, 31, NULL, 0, 0, "1 to 31"},
	[MONTH] = {"month", 1, 12, months, ARRAY_SIZE(months), 1, "1 to 12, or JAN to DEC"},
	[WEEKDAY] = {"day of the week", 0, 7, weekdays, ARRAY_SIZE(weekdays), 0,
		     "0 to 7, or SUN to SAT"},
};

static const struct {
	const char *word;
	const char *text;
} nicknames[] = {
	{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

/** struct complaint - buffers for the problem and the fix */
struct complaint {
	char *why;
	size_t why_size;
	char *fix;
	size_t fix_size;
};

static int complain(const struct complaint *complaint, const char *fix, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(const struct complaint *complaint, const char *fix, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(complaint->why, complaint->why_size, format, arguments);
	va_end(arguments);
	(void)snprintf(complaint->fix, complaint->fix_size, "%s", fix);
	return -EINVAL;
}

/* Parses a number or a name at *@text and moves *@text behind it. */
static int value_parse(const struct field *field, const char **text, unsigned *ret,
		       const struct complaint *complaint)
{
	const char *start = *text;
	size_t length = strcspn(start, "-/,");
	char fix[96];
	unsigned value = 0;

	(void)snprintf(fix, sizeof(fix), "write %s", field->range);
	*text += length;
	for (size_t i = 0; length == 3 && i < field->n_words; i++) {
		if (strncasecmp(start, field->words[i], length) == 0) {
			*ret = field->first_word + (unsigned)i;
			return 0;
		}
	}
	if (length == 0)
		return complain(complaint, fix, "a value of the field \"%s\" is missing",
				field->name);
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)start[i]) || i == 3)
			return complain(complaint, fix, "\"%.*s\" is not a valid %s",
					(int)(length < 20 ? length : 20), start, field->name);
		value = 10 * value + (unsigned)(start[i] - '0');
	}
	if (value < field->min || value > field->max)
		return complain(complaint, fix, "the %s %u is out of range", field->name, value);
	*ret = value;
	return 0;
}

/* Parses "/S" at *@text; without it the step is 1. */
static int step_parse(const struct field *field, const char **text, unsigned *ret,
		      const struct complaint *complaint)
{
	unsigned value = 0;
	size_t n = 0;

	*ret = 1;
	if (**text != '/')
		return 0;
	for ((*text)++; isdigit((unsigned char)**text) && n < 3; (*text)++, n++)
		value = 10 * value + (unsigned)(**text - '0');
	if (n == 0 || value == 0 || value > field->max)
		return complain(complaint, "write a number from 1 behind \"/\", such as */15",
				"the step of the field \"%s\" is none", field->name);
	*ret = value;
	return 0;
}

/* Parses one entry of a field's list: "*", N, N-M, each with a step. */
static int entry_parse(const struct field *field, const char **text, uint64_t *set,
		       const struct complaint *complaint)
{
	unsigned first = field->min, last = field->max, step;
	bool one = false;
	int r;

	if (**text == '*') {
		(*text)++;
		/* 7 is another number of Sunday, so "*" and its steps end with Saturday */
		last = field->words == weekdays ? 6 : field->max;
	} else {
		r = value_parse(field, text, &first, complaint);
		if (r < 0)
			return r;
		one = **text != '-';
		last = first;
		if (!one) {
			(*text)++;
			r = value_parse(field, text, &last, complaint);
			if (r < 0)
				return r;
			/* SAT-SUN: at the end of a range Sunday is 7 */
			if (field->words == weekdays && last == 0 && first > 0)
				last = 7;
		}
	}
	if (first > last)
		return complain(complaint, "write the smaller value first, or two ranges",
				"a range of the field \"%s\" ends before it begins", field->name);
	if (one && **text == '/')
		last = field->words == weekdays ? 6 : field->max;
	r = step_parse(field, text, &step, complaint);
	if (r < 0)
		return r;
	for (unsigned value = first; value <= last; value += step)
		*set |= 1ULL << value;
	return 0;
}

static int field_parse(const struct field *field, const char *text, uint64_t *ret,
		       const struct complaint *complaint)
{
	*ret = 0;
	for (;;) {
		int r = entry_parse(field, &text, ret, complaint);

		if (r < 0)
			return r;
		if (*text == '\0')
			return 0;
		if (*text != ',')
			return complain(complaint,
					"write a list of values, ranges and steps, such as "
					"1,15 or 9-17/2 or */10",
					"\"%.20s\" is not expected in the field \"%s\"", text,
					field->name);
		text++;
	}
}

/* "*", also with a step, counts as any day, as in cron(8). */
static bool is_star(const char *text)
{
	return text[0] == '*';
}

/* Is there any day in the sets? February counts as 29 days. */
static bool happens(const struct cron *cron)
{
	static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (!cron->weekdays_any) /* a matching weekday is enough, and each month has all */
		return true;
	for (unsigned month = 1; month <= 12; month++) {
		uint32_t days = (uint32_t)((2ULL << lengths[month - 1]) - 2);

		if ((cron->months & (1U << month)) && (cron->days & days))
			return true;
	}
	return false;
}

static int complain_of_count(const struct complaint *complaint, size_t n)
{
	if (n == N_FIELDS + 1)
		return complain(complaint, "leave out the seconds, the first field",
				"a schedule has five fields, not six");
	return complain(complaint,
			"write minute, hour, day of the month, month and day of the week, such as "
			"\"30 4 * * 1-5\"",
			"a schedule has five fields, not %zu", n);
}

/* For "TZ=Europe/Berlin 0 4 * * *", where other programs expect the zone. */
static int complain_of_zone(const struct complaint *complaint, const char *text)
{
	const char *zone = strchr(text, '=') + 1, *rest = zone + strcspn(zone, BLANKS);
	int length = (int)(rest - zone);
	char fix[160];

	rest += strspn(rest, BLANKS);
	(void)snprintf(fix, sizeof(fix), "write timezone: %.*s beside cron: \"%.80s\"",
		       length < 40 ? length : 40, zone, *rest ? rest : "30 4 * * *");
	return complain(complaint, fix, "the time zone stands in the schedule itself");
}

static int split_parse(char *text, struct cron *ret, const struct complaint *complaint)
{
	char *words[N_FIELDS], *rest = NULL;
	uint64_t sets[N_FIELDS];
	struct cron cron;
	size_t n = 0;

	for (char *word = strtok_r(text, BLANKS, &rest); word;
	     word = strtok_r(NULL, BLANKS, &rest)) {
		if (n < N_FIELDS)
			words[n] = word;
		n++;
	}
	if (n != N_FIELDS)
		return complain_of_count(complaint, n);
	for (size_t i = 0; i < N_FIELDS; i++) {
		int r = field_parse(&fields[i], words[i], &sets[i], complaint);

		if (r < 0)
			return r;
	}
	cron = (struct cron){
		.minutes = sets[MINUTE],
		.hours = (uint32_t)sets[HOUR],
		.days = (uint32_t)sets[DAY],
		.months = (uint16_t)sets[MONTH],
		.weekdays = (uint8_t)((sets[WEEKDAY] | (sets[WEEKDAY] >> 7)) & 0x7f),
		.days_any = is_star(words[DAY]),
		.weekdays_any = is_star(words[WEEKDAY]),
	};
	if (!happens(&cron))
		return complain(complaint, "name a day that the month has",
				"no month of the schedule has that day");
	*ret = cron;
	return 0;
}

int cron_parse(const char *text, struct cron *ret, char *why, size_t why_size, char *fix,
	       size_t fix_size)
{
	const struct complaint complaint = {why, why_size, fix, fix_size};
	char copy[CRON_TEXT_MAX + 1];

	if (strlen(text) > CRON_TEXT_MAX)
		return complain(&complaint, "write several schedules",
				"a schedule of more than 256 bytes");
	(void)snprintf(copy, sizeof(copy), "%s", text + strspn(text, BLANKS));
	if (strncasecmp(copy, "TZ=", 3) == 0 || strncasecmp(copy, "CRON_TZ=", 8) == 0)
		return complain_of_zone(&complaint, copy);
	if (copy[0] != '@')
		return split_parse(copy, ret, &complaint);
	for (size_t end = strlen(copy); end > 0 && strchr(BLANKS, copy[end - 1]); end--)
		copy[end - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(nicknames); i++) {
		if (strcasecmp(copy, nicknames[i].word) != 0)
			continue;
		(void)snprintf(copy, sizeof(copy), "%s", nicknames[i].text);
		return split_parse(copy, ret, &complaint);
	}
	return complain(&complaint,
			"write @hourly, @daily, @weekly, @monthly or @yearly, or five fields",
			"\"%.20s\" is not a time", copy);
}

bool cron_day_matches(const struct cron *cron, unsigned month, unsigned day, unsigned weekday)
{
	bool day_fits = (cron->days >> day) & 1, weekday_fits = (cron->weekdays >> weekday) & 1;

	if (!((cron->months >> month) & 1))
		return false;
	if (cron->days_any || cron->weekdays_any)
		return day_fits && weekday_fits;
	return day_fits || weekday_fits;
}

bool cron_timezone_valid(const char *name)
{
	size_t length = strlen(name), n_parts = 0;

	if (length == 0 || length > CRON_TIMEZONE_MAX)
		return false;
	for (const char *part = name;; part++) {
		size_t part_length = strcspn(part, "/");

		if (!isalpha((unsigned char)part[0]) || ++n_parts > 3)
			return false;
		for (size_t i = 0; i < part_length; i++) {
			if (!isalnum((unsigned char)part[i]) && !strchr("_+-", part[i]))
				return false;
		}
		part += part_length;
		if (*part == '\0')
			return true;
	}
}
