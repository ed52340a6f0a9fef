/* SPDX-License-Identifier: Apache-2.0 */
/* The five fields of a schedule, compared with sets written by hand, and invalid schedules. */
#include "common/cron.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct cron good(const char *text)
{
	char why[128] = "", fix[128] = "";
	struct cron cron = {0};

	if (cron_parse(text, &cron, why, sizeof(why), fix, sizeof(fix)) != 0)
		fail_msg("\"%s\": %s (%s)", text, why, fix);
	return cron;
}

static void bad(const char *text, const char *wanted)
{
	char why[128] = "", fix[128] = "";
	struct cron cron = {.minutes = 42};

	if (cron_parse(text, &cron, why, sizeof(why), fix, sizeof(fix)) != -EINVAL)
		fail_msg("\"%s\" is taken for a schedule", text);
	assert_string_equal(why, wanted);
	assert_true(fix[0] != '\0');
	assert_int_equal(cron.minutes, 42);
}

#define BIT(n) (1ULL << (n))

static void test_fields(void **state)
{
	struct cron cron = good("*/15 9-17 1,15 jan,JUL-AUG MON-fri");

	assert_int_equal(cron.minutes, BIT(0) | BIT(15) | BIT(30) | BIT(45));
	assert_int_equal(cron.hours, 0x3fe00);
	assert_int_equal(cron.days, BIT(1) | BIT(15));
	assert_int_equal(cron.months, BIT(1) | BIT(7) | BIT(8));
	assert_int_equal(cron.weekdays, 0x3e);
	assert_false(cron.days_any);
	assert_false(cron.weekdays_any);
	cron = good("  5\t4  * * *  ");
	assert_int_equal(cron.minutes, BIT(5));
	assert_int_equal(cron.hours, BIT(4));
	assert_int_equal(cron.days, 0xfffffffe);
	assert_int_equal(cron.months, 0x1ffe);
	assert_int_equal(cron.weekdays, 0x7f);
	assert_true(cron.days_any);
	assert_true(cron.weekdays_any);
}

static void test_steps_and_ranges(void **state)
{
	assert_int_equal(good("10-20/5 * * * *").minutes, BIT(10) | BIT(15) | BIT(20));
	assert_int_equal(good("50/5 * * * *").minutes, BIT(50) | BIT(55));
	assert_int_equal(good("0 */7 * * *").hours, BIT(0) | BIT(7) | BIT(14) | BIT(21));
	assert_int_equal(good("59 23 31 12 6").minutes, BIT(59));
	assert_int_equal(good("0 0 1-1 * *").days, BIT(1));
	assert_int_equal(good("1,1,1 * * * *").minutes, BIT(1));
}

static void test_sunday_has_two_numbers(void **state)
{
	assert_int_equal(good("0 0 * * 0").weekdays, 1);
	assert_int_equal(good("0 0 * * 7").weekdays, 1);
	assert_int_equal(good("0 0 * * 5-7").weekdays, 0x61);
	assert_int_equal(good("0 0 * * SAT-SUN").weekdays, 0x41);
	assert_int_equal(good("0 0 * * 0-6").weekdays, 0x7f);
	assert_int_equal(good("0 0 * * */2").weekdays, 0x55);
	assert_int_equal(good("0 0 * * 2/2").weekdays, 0x54);
}

static void test_nicknames(void **state)
{
	assert_int_equal(good("@daily").hours, 1);
	assert_int_equal(good("@Midnight").minutes, 1);
	assert_int_equal(good("@hourly").hours, 0xffffff);
	assert_int_equal(good("@weekly").weekdays, 1);
	assert_int_equal(good("@monthly").days, 2);
	assert_int_equal(good("@yearly").months, 2);
	assert_int_equal(good("@annually").months, 2);
	bad("@reboot", "\"@reboot\" is not a time");
	bad("@", "\"@\" is not a time");
	bad("@daily 5", "\"@daily 5\" is not a time");
	assert_int_equal(good(" @daily\n").hours, 1);
	bad("0 0 * * *\n0 1 * * *", "a schedule has five fields, not 10");
}

static void test_refused(void **state)
{
	char longest[400];

	bad("", "a schedule has five fields, not 0");
	bad("* * * *", "a schedule has five fields, not 4");
	bad("0 * * * * *", "a schedule has five fields, not six");
	bad("* * * * * * * * *", "a schedule has five fields, not 9");
	bad("60 * * * *", "the minute 60 is out of range");
	bad("* 24 * * *", "the hour 24 is out of range");
	bad("* * 0 * *", "the day of the month 0 is out of range");
	bad("* * * 13 *", "the month 13 is out of range");
	bad("* * * * 8", "the day of the week 8 is out of range");
	bad("* * * foo *", "\"foo\" is not a valid month");
	bad("* * L * *", "\"L\" is not a valid day of the month");
	bad("* * ? * *", "\"?\" is not a valid day of the month");
	bad("mon * * * *", "\"mon\" is not a valid minute");
	bad("5-1 * * * *", "a range of the field \"minute\" ends before it begins");
	bad("*/0 * * * *", "the step of the field \"minute\" is none");
	bad("*/ * * * *", "the step of the field \"minute\" is none");
	bad("*/99 * * * *", "the step of the field \"minute\" is none");
	bad("1, * * * *", "a value of the field \"minute\" is missing");
	bad(",1 * * * *", "a value of the field \"minute\" is missing");
	bad("1- * * * *", "a value of the field \"minute\" is missing");
	bad("-1 * * * *", "a value of the field \"minute\" is missing");
	bad("** * * * *", "\"*\" is not expected in the field \"minute\"");
	bad("*/5/5 * * * *", "\"/5\" is not expected in the field \"minute\"");
	bad("1-5-7 * * * *", "\"-7\" is not expected in the field \"minute\"");
	bad("99999999999999999999 * * * *", "\"99999999999999999999\" is not a valid minute");
	bad("0 0 30 2 *", "no month of the schedule has that day");
	bad("0 0 31 4,6,9,11 *", "no month of the schedule has that day");
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	bad(longest, "a schedule of more than 256 bytes");
}

static void test_days(void **state)
{
	struct cron cron = good("0 0 29 2 *");

	assert_true(cron_day_matches(&cron, 2, 29, 0));
	assert_false(cron_day_matches(&cron, 3, 29, 0));
	cron = good("0 0 13 * FRI"); /* both restricted: one of them must match */
	assert_true(cron_day_matches(&cron, 1, 13, 1));
	assert_true(cron_day_matches(&cron, 1, 14, 5));
	assert_false(cron_day_matches(&cron, 1, 14, 6));
	cron = good("0 0 * * FRI");
	assert_true(cron_day_matches(&cron, 1, 2, 5));
	assert_false(cron_day_matches(&cron, 1, 2, 4));
	cron = good("0 0 */2 * FRI"); /* "*" with a step counts as any day: both must match */
	assert_true(cron_day_matches(&cron, 1, 3, 5));
	assert_false(cron_day_matches(&cron, 1, 2, 5));
	assert_int_equal(good("0 0 30 2 MON").months, BIT(2)); /* Mondays of February */
}

static void test_timezones(void **state)
{
	static const char *const fine[] = {"UTC",
					   "Europe/Berlin",
					   "Etc/GMT+5",
					   "Etc/GMT-14",
					   "EST5EDT",
					   "America/Argentina/Ushuaia",
					   "America/Port-au-Prince",
					   "GB-Eire"};
	static const char *const wrong[] = {"",	  "/etc/localtime", "../x",    "Europe/",
					    "/",  "Europe//Berlin", "a/b/c/d", "Europe/..",
					    "+1", "UTC\n",	    "posix.x", "a b"};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		if (!cron_timezone_valid(fine[i]))
			fail_msg("\"%s\" is refused", fine[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (cron_timezone_valid(wrong[i]))
			fail_msg("\"%s\" is taken", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_steps_and_ranges),
		cmocka_unit_test(test_sunday_has_two_numbers),
		cmocka_unit_test(test_nicknames),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_timezones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
