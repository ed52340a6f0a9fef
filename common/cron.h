/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CRON_H
#define COMMON_CRON_H

/*
 * DOC: Times as cron writes them
 *
 * Five fields (minute, hour, day of the month, month, day of the week) become a
 * set of bits each. Whoever looks for the next time walks days with
 * cron_day_matches() and takes hours and minutes from their sets; time zones and
 * clock changes are that walker's business. No clock and no I/O here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRON_TEXT_MAX 256
#define CRON_TIMEZONE_MAX 64

/**
 * struct cron - when; bit n of a set is the value n
 * @weekdays: 0 is Sunday; a 7 of the text is a 0 here
 */
struct cron {
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;	 /* 1 to 31 */
	uint16_t months; /* 1 to 12 */
	uint8_t weekdays;
	bool days_any, weekdays_any; /* the field begins with "*" */
};

/**
 * cron_parse() - five fields, or @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually
 * @text: fields separated by blanks. A field is a list of "*", N, N-M, each with an optional
 *        step ("/S"; N/S means N to the field's end); months and weekdays have English names
 *        of three letters as well, upper or lower case.
 * @ret:  untouched on failure
 * @why:  on failure: what is wrong, without a full stop
 * @fix:  on failure: what to do
 *
 * What can never happen ("0 0 30 2 *") is refused, too.
 *
 * Return: 0 or -EINVAL.
 */
int cron_parse(const char *text, struct cron *ret, char *why, size_t why_size, char *fix,
	       size_t fix_size);

/**
 * cron_day_matches() - may it happen on that day?
 * @month:   1 to 12
 * @day:     of the month, from 1
 * @weekday: 0 is Sunday
 *
 * As cron does: when both days are restricted, one of them must fit; else both.
 */
bool cron_day_matches(const struct cron *cron, unsigned month, unsigned day, unsigned weekday);

/**
 * cron_timezone_valid() - does @name look like a name of the time zone database?
 *
 * "UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5": parts of letters, digits,
 * "_", "+" and "-" that begin with a letter, at most three of them. A path that is built
 * with it stays in its directory. Whether there is such a zone, only the database knows.
 */
bool cron_timezone_valid(const char *name);

#endif
