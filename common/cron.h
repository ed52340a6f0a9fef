/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CRON_H
#define COMMON_CRON_H

/*
 * DOC: Times as cron writes them
 *
 * Each of five fields (minute, hour, day of the month, month, day of the week) becomes a set of
 * bits. A caller that searches the next time walks days with cron_day_matches() and takes hours
 * and minutes from their sets; it also handles time zones and clock changes. This module reads
 * no clock and does no I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRON_TEXT_MAX 256
#define CRON_TIMEZONE_MAX 64

/**
 * struct cron - a parsed schedule; bit n of a set stands for the value n
 * @weekdays: 0 is Sunday; a 7 in the text is 0 here
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
 * cron_parse() - parse five fields, or @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
 * @annually
 * @text: fields separated by blanks. A field is a list of "*", N, N-M, each with an optional
 *        step ("/S"; N/S means N to the field's end); months and weekdays have English names
 *        of three letters as well, upper or lower case.
 * @ret:  untouched on failure
 * @why:  on failure: the problem, without a full stop
 * @fix:  on failure: the remedy
 *
 * A schedule that never fires ("0 0 30 2 *") is refused, too.
 *
 * Return: 0 or -EINVAL.
 */
int cron_parse(const char *text, struct cron *ret, char *why, size_t why_size, char *fix,
	       size_t fix_size);

/**
 * cron_day_matches() - does the schedule fire on that day?
 * @month:   1 to 12
 * @day:     of the month, from 1
 * @weekday: 0 is Sunday
 *
 * As in cron(8): if both kinds of days are restricted, one of them must match; else both.
 */
bool cron_day_matches(const struct cron *cron, unsigned month, unsigned day, unsigned weekday);

/**
 * cron_timezone_valid() - does @name look like a name of the time zone database?
 *
 * "UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5": at most three components of
 * letters, digits, "_", "+" and "-" that begin with a letter. A path that is built with it
 * stays in its directory. Whether the zone exists, only the database knows.
 */
bool cron_timezone_valid(const char *name);

#endif
