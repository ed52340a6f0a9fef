/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/cron.h"

#include "scheduler/engine/zone.h"

#include <stdbool.h>

#define MINUTE 60
#define DAY_MINUTES 1440
/* a 29th of February on a certain weekday may be that far away */
#define DAYS_MAX (41 * 366)
#define EVERY_HOUR 0xffffffU
/* no two clock changes are closer than this */
#define STEP (6 * 3600)
/* the largest change that any zone has made at once is a day */
#define CHANGE_MAX (26 * 3600)
#define NEVER INT64_MAX

static int64_t floor_divide(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

/*
 * Month, day of the month and weekday of a day counted from 1970-01-01, in the Gregorian calendar.
 * Years begin in March here, so that a leap day comes last; an era is 400 years, which always have
 * the same length.
 */
static void day_civil(int64_t day, unsigned *month, unsigned *month_day, unsigned *weekday)
{
	int64_t shifted = day + 719468; /* days since 0000-03-01 */
	unsigned era_day = (unsigned)(shifted - floor_divide(shifted, 146097) * 146097);
	unsigned era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	unsigned year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
	unsigned from_march = (5 * year_day + 2) / 153;

	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*month_day = year_day - (153 * from_march + 2) / 5 + 1;
	*weekday = (unsigned)(day + 4 - floor_divide(day + 4, 7) * 7);
}

/* The first due minute of a day from @start on, DAY_MINUTES if there is none. */
static unsigned day_minute(const struct cron *cron, unsigned start)
{
	for (unsigned hour = start / 60; hour < 24; hour++) {
		unsigned first = hour == start / 60 ? start % 60 : 0;
		uint64_t minutes = cron->minutes >> first;

		if ((cron->hours >> hour & 1) && minutes)
			return hour * 60 + first + (unsigned)__builtin_ctzll(minutes);
	}
	return DAY_MINUTES;
}

/* The first due local time from @local on, clock changes ignored. */
static int64_t local_next(const struct cron *cron, int64_t local)
{
	int64_t minute = floor_divide(local + MINUTE - 1, MINUTE);
	int64_t day = floor_divide(minute, DAY_MINUTES);
	unsigned start = (unsigned)(minute - day * DAY_MINUTES);

	for (unsigned i = 0; i < DAYS_MAX; i++, day++, start = 0) {
		unsigned month, month_day, weekday, found;

		day_civil(day, &month, &month_day, &weekday);
		if (!cron_day_matches(cron, month, month_day, weekday))
			continue;
		found = day_minute(cron, start);
		if (found < DAY_MINUTES)
			return (day * DAY_MINUTES + found) * MINUTE;
	}
	return NEVER;
}

/* The moment in (@low, @high] at which the offset stops being @offset, known to be there. */
static int64_t change_locate(int64_t low, int64_t high, int64_t offset)
{
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (zone_offset(middle) == offset)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* The first clock change in (@from, @until], NEVER if there is none. */
static int64_t change_next(int64_t from, int64_t until, int64_t offset)
{
	while (from < until) {
		int64_t next = until - from > STEP ? from + STEP : until;

		if (zone_offset(next) != offset)
			return change_locate(from, next, offset);
		from = next;
	}
	return NEVER;
}

/* If clocks went back shortly before @at: the local time that they showed then. */
static int64_t repeat_end(int64_t at)
{
	int64_t end = INT64_MIN;

	for (int64_t from = at - CHANGE_MAX; from < at; from += STEP) {
		int64_t until = from + STEP < at ? from + STEP : at;
		int64_t before = zone_offset(from);

		if (zone_offset(until) == before)
			continue;
		from = change_locate(from, until, before);
		end = zone_offset(from) < before ? from + before : INT64_MIN;
		from -= STEP; /* continue behind the change */
	}
	return end;
}

static int64_t next_walk(const struct cron *cron, int64_t after)
{
	bool passing = cron->hours == EVERY_HOUR;
	int64_t offset = zone_offset(after);
	int64_t shown_before = repeat_end(after);
	int64_t start = after, from = after + offset + 1;

	for (;;) {
		int64_t local, at, change, next_offset;

		if (!passing && from < shown_before)
			from = shown_before;
		local = local_next(cron, from);
		at = local == NEVER ? start + (int64_t)DAYS_MAX * 86400 : local - offset;
		change = change_next(start, at, offset);
		if (change == NEVER)
			return local == NEVER ? 0 : at;
		next_offset = zone_offset(change);
		if (!passing && local < change + next_offset)
			return change;		/* this time was skipped */
		shown_before = change + offset; /* later than they show now: they went back */
		start = change;
		offset = next_offset;
		from = change + offset;
	}
}

int64_t cron_next(const struct cron *cron, const char *zone, int64_t after)
{
	int64_t at;

	zone_enter(zone);
	at = next_walk(cron, after);
	zone_leave();
	return at;
}
