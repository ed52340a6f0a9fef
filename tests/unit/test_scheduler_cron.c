/* SPDX-License-Identifier: Apache-2.0 */
/* When schedules are due, over clock changes, and against a model that shares no code. */
#include "common/cleanup.h"
#include "scheduler/engine/cron.h"
#include "scheduler/engine/zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/cmocka_headers.h"

static struct cron parsed(const char *text)
{
	char why[256] = "", fix[256] = "";
	struct cron cron;

	if (cron_parse(text, &cron, why, sizeof(why), fix, sizeof(fix)) < 0)
		fail_msg("%s: %s (%s)", text, why, fix);
	return cron;
}

/* "2026-03-29 01:00:00" in UTC */
static int64_t utc(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static void next_is(const char *text, const char *zone, const char *after, const char *wanted)
{
	struct cron cron = parsed(text);
	int64_t at = cron_next(&cron, zone, utc(after));
	time_t seconds = at;
	char got[64] = "never";
	struct tm tm;

	if (at)
		(void)strftime(got, sizeof(got), "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &tm));
	if (strcmp(got, wanted) != 0)
		fail_msg("\"%s\" %s after %s: %s instead of %s", text, zone, after, got, wanted);
}

static void test_plain(void **state)
{
	next_is("* * * * *", "", "2026-11-22 10:00:00", "2026-11-22 10:01:00");
	next_is("* * * * *", "", "2026-11-22 10:00:59", "2026-11-22 10:01:00");
	next_is("30 4 * * *", "", "2026-11-22 04:30:00", "2026-11-23 04:30:00");
	next_is("0 0 1 1 *", "UTC", "2026-01-01 00:00:00", "2027-01-01 00:00:00");
	next_is("0 0 29 2 *", "", "2026-11-22 00:00:00", "2028-02-29 00:00:00");
	/* 2100 has no leap day */
	next_is("0 0 29 2 *", "", "2096-03-01 00:00:00", "2104-02-29 00:00:00");
	next_is("0 12 * * 1-5", "", "2026-11-20 12:00:00", "2026-11-23 12:00:00");
	next_is("0 0 13 * 5", "", "2026-11-22 00:00:00", "2026-11-27 00:00:00");
	next_is("@weekly", "Europe/Berlin", "2026-11-22 00:00:00", "2026-11-28 23:00:00");
	next_is("59 23 31 12 *", "", "1970-01-01 00:00:00", "1970-12-31 23:59:00");
}

static void test_forward(void **state)
{
	/* 2026-03-29 in Berlin: 02:00 becomes 03:00 at 01:00 UTC */
	next_is("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29 01:00:00");
	next_is("30 2 * * *", "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-30 00:30:00");
	next_is("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29 00:59:59", "2026-03-29 01:00:00");
	next_is("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-29 01:30:00");
	/* every hour: by elapsed time */
	next_is("30 * * * *", "Europe/Berlin", "2026-03-29 00:30:00", "2026-03-29 01:30:00");
	/* half an hour at Lord Howe: 2026-10-04 02:00 becomes 02:30 at 15:30 UTC */
	next_is("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00:00", "2026-10-03 15:30:00");
	next_is("45 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00:00", "2026-10-03 15:45:00");
	/* Apia had no 2011-12-30 */
	next_is("0 3 30 12 *", "Pacific/Apia", "2011-12-29 00:00:00", "2011-12-30 10:00:00");
	next_is("0 3 30 12 *", "Pacific/Apia", "2011-12-30 10:00:00", "2012-12-29 13:00:00");
}

static void test_back(void **state)
{
	/* 2026-10-25 in Berlin: 03:00 becomes 02:00 at 01:00 UTC */
	next_is("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00", "2026-10-25 00:30:00");
	next_is("30 2 * * *", "Europe/Berlin", "2026-10-25 00:30:00", "2026-10-26 01:30:00");
	next_is("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", "2026-10-26 01:30:00");
	next_is("0 3 * * *", "Europe/Berlin", "2026-10-25 00:30:00", "2026-10-25 02:00:00");
	next_is("30 * * * *", "Europe/Berlin", "2026-10-25 00:30:00", "2026-10-25 01:30:00");
	/* New York: 02:00 becomes 01:00 at 06:00 UTC */
	next_is("30 1 * * *", "America/New_York", "2026-11-01 05:30:00", "2026-11-02 06:30:00");
	/* Casablanca goes back for Ramadan: 2026-02-15 03:00 becomes 02:00 at 02:00 UTC */
	next_is("30 2 * * *", "Africa/Casablanca", "2026-02-14 12:00:00", "2026-02-15 01:30:00");
	next_is("30 2 * * *", "Africa/Casablanca", "2026-02-15 01:30:00", "2026-02-16 02:30:00");
}

static void test_zones(void **state)
{
	assert_true(zone_known(""));
	assert_true(zone_known("UTC"));
	assert_true(zone_known("Europe/Berlin"));
	assert_true(zone_known("America/Argentina/Ushuaia"));
	assert_false(zone_known("Europe/Berlln"));
	assert_false(zone_known("Europe"));
	assert_false(zone_known("/etc/passwd"));
	assert_false(zone_known("../../../etc/passwd"));
	assert_false(zone_known("tzdata.zi")); /* exists, but is not a zone */
	(void)setenv("TZ", "Asia/Tokyo", 1);
	zone_enter("Europe/Berlin");
	assert_int_equal(zone_offset(utc("2026-07-01 00:00:00")), 7200);
	zone_leave();
	assert_string_equal(getenv("TZ"), "Asia/Tokyo");
	(void)unsetenv("TZ");
	zone_enter("Asia/Kathmandu");
	assert_int_equal(zone_offset(0x60000000), 20700);
	zone_leave();
	assert_null(getenv("TZ"));
}

static void test_model(void **state)
{
	const char *seed = getenv("TEST_SEED"), *number = getenv("TEST_CASES");
	char command[256], line[1024];
	unsigned n = 0;
	FILE *model;

	(void)snprintf(command, sizeof(command), "python3 tests/cron_model.py %u %u",
		       seed ? (unsigned)atoi(seed) : 1, number ? (unsigned)atoi(number) : 400);
	model = popen(command, "re");
	assert_non_null(model);
	while (fgets(line, sizeof(line), model)) {
		char *rest = line;
		const char *text = strsep(&rest, "\t"), *zone = strsep(&rest, "\t");
		int64_t at = strtoll(strsep(&rest, "\t"), NULL, 10);
		struct cron cron = parsed(text);

		for (int i = 0; i < 4; i++) {
			int64_t wanted = strtoll(rest, &rest, 10);
			int64_t got = cron_next(&cron, zone, at);

			if (got != wanted)
				fail_msg("\"%s\" %s after %" PRId64 ": %" PRId64
					 " instead of %" PRId64 " (seed %s)",
					 text, zone, at, got, wanted, seed ? seed : "1");
			at = got;
		}
		n++;
	}
	assert_int_equal(pclose(model), 0);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_forward),
		cmocka_unit_test(test_back),  cmocka_unit_test(test_zones),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
