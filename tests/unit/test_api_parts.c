/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "api/range.h"
#include "api/routes.h"
#include "api/run_facts.h"
#include "api/timestamps.h"
#include "common/cleanup.h"
#include "common/messages/api.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- routes ---- */

static void test_routes_found(void **state)
{
	const struct route *route;
	struct route_match match;
	const char *allow;

	assert_int_equal(
		route_find("GET", "/api/v1/runs/42/steps/build/log", &route, &match, &allow),
		ROUTE_FOUND);
	assert_int_equal(match.run, 42);
	assert_string_equal(match.slug, "build");
	assert_int_equal(
		route_find("GET", "/api/v1/runs/42/artifacts/bin/app.tar", &route, &match, &allow),
		ROUTE_FOUND);
	assert_string_equal(match.key, "bin/app.tar");
	assert_int_equal(route_find("HEAD", "/api/v1/status", &route, &match, &allow), ROUTE_FOUND);
	assert_int_equal(route->verb, API_STATUS);
	assert_int_equal(route_find("POST", "/api/v1/projects/a.b-c/runs", &route, &match, &allow),
			 ROUTE_FOUND);
	assert_string_equal(match.project, "a.b-c");
	assert_int_equal(route->verb, API_RUN_TRIGGER);
	assert_int_equal(route_find("GET", "/", &route, &match, &allow), ROUTE_FOUND);
}

static void test_routes_refused(void **state)
{
	static const struct {
		const char *method, *path;
		enum route_outcome outcome;
	} cases[] = {
		{"GET", "", ROUTE_NOT_FOUND},
		{"GET", "*", ROUTE_NOT_FOUND},
		{"GET", "//", ROUTE_NOT_FOUND},
		{"GET", "/api/v1", ROUTE_NOT_FOUND},
		{"GET", "/api/v1/", ROUTE_NOT_FOUND},
		{"GET", "/api/v1/status/", ROUTE_NOT_FOUND},
		{"GET", "/api/v1/statusx", ROUTE_NOT_FOUND},
		{"GET", "/API/v1/status", ROUTE_NOT_FOUND},
		{"GET", "api/v1/status", ROUTE_NOT_FOUND},
		{"DELETE", "/api/v1/status", ROUTE_NOT_METHOD},
		{"GET", "/api/v1/runs/42/cancel", ROUTE_NOT_METHOD},
		{"POST", "/api/v1/runs/42", ROUTE_NOT_METHOD},
		{"GET", "/api/v1/runs/0", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/-1", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/1e3", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/99999999999999999999999", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/", ROUTE_BAD_NAME},
		{"GET", "/api/v1/projects/..", ROUTE_BAD_NAME},
		{"GET", "/api/v1/projects/A", ROUTE_BAD_NAME},
		{"GET", "/api/v1/projects/a\r\nX: y", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/steps/../log", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/steps/.hidden/log", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/steps/a/b/log", ROUTE_NOT_FOUND},
		{"GET", "/api/v1/runs/42/artifacts/../../../etc/passwd", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/artifacts//etc/passwd", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/artifacts/a\"b", ROUTE_BAD_NAME},
		{"GET", "/api/v1/runs/42/artifacts/", ROUTE_BAD_NAME},
	};
	const struct route *route;
	struct route_match match;
	const char *allow = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (route_find(cases[i].method, cases[i].path, &route, &match, &allow) !=
		    cases[i].outcome)
			fail_msg("%s %s", cases[i].method, cases[i].path);
	assert_non_null(allow);
}

/* ---- ranges ---- */

static void test_ranges(void **state)
{
	static const struct {
		const char *text;
		enum range_outcome outcome;
		uint64_t first, length;
	} cases[] = {
		{NULL, RANGE_WHOLE, 0, 0},
		{"", RANGE_WHOLE, 0, 0},
		{"bytes=0-0", RANGE_PART, 0, 1},
		{"bytes=0-99", RANGE_PART, 0, 100},
		{"bytes=0-100", RANGE_PART, 0, 100},
		{"bytes=99-", RANGE_PART, 99, 1},
		{"bytes=100-", RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=18446744073709551610-", RANGE_WHOLE, 0, 0},
		{"bytes=-1", RANGE_PART, 99, 1},
		{"bytes=-1000", RANGE_PART, 0, 100},
		{"bytes=-0", RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=5-4", RANGE_WHOLE, 0, 0},
		{"bytes=1-2,5-6", RANGE_WHOLE, 0, 0},
		{"bytes=a-b", RANGE_WHOLE, 0, 0},
		{"bytes=1", RANGE_WHOLE, 0, 0},
		{"bytes= 1-2", RANGE_WHOLE, 0, 0},
		{"lines=1-2", RANGE_WHOLE, 0, 0},
		{"bytes=--1", RANGE_WHOLE, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t first = 0;
		uint64_t length = 0;

		assert_int_equal(range_parse(cases[i].text, 100, &first, &length),
				 cases[i].outcome);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(length, cases[i].length);
	}
	uint64_t first, length;

	assert_int_equal(range_parse("bytes=0-", 0, &first, &length), RANGE_UNSATISFIABLE);
	assert_int_equal(range_parse("bytes=-5", 0, &first, &length), RANGE_UNSATISFIABLE);
}

static void test_numbers(void **state)
{
	uint64_t value = 7;

	assert_int_equal(parse_number("0", &value), 0);
	assert_int_equal(value, 0);
	for (const char *const *text = (const char *const[]){"", "-1", "+1", " 1", "1 ", "0x1",
							     "18446744073709551616", NULL};
	     *text; text++)
		assert_int_equal(parse_number(*text, &value), -EINVAL);
	assert_int_equal(parse_number(NULL, &value), -EINVAL);
}

/* ---- times of lines ---- */

static void index_write(int fd, uint64_t started, const uint64_t *records, size_t n)
{
	const uint32_t head[2] = {0x31494252, 1};

	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, &started, sizeof(started)), sizeof(started));
	assert_int_equal(write(fd, records, n * sizeof(*records)), n * sizeof(*records));
}

static void test_timestamps(void **state)
{
	/* chunks at 0 (stdout), 4 (stderr), 9 */
	const uint64_t records[] = {0, 1ULL << 62, 4, 2ULL << 62 | 1500000, 9, 2000000};
	static const char data[] = "ab\ncd\nefg\n\nlast";
	static const char want[] = "2001-09-09T01:46:40.000000Z ab\n"
				   "2001-09-09T01:46:40.000000Z cd\n"
				   "2001-09-09T01:46:41.500000Z efg\n"
				   "2001-09-09T01:46:42.000000Z \n"
				   "2001-09-09T01:46:42.000000Z last";
	cleanup_close int fd = memfd_create("index", MFD_CLOEXEC);
	struct timestamps timestamps;

	index_write(fd, 1000000000ULL * 1000000, records, ARRAY_SIZE(records));
	/* in pieces of every size, into room of every size */
	for (size_t step = 1; step < sizeof(data); step++)
		for (size_t room = TIMESTAMP_LENGTH + 1; room < 120; room += 13) {
			char out[512];
			size_t used = 0;
			size_t total = 0;

			assert_int_equal(timestamps_init(&timestamps, fd), 0);
			while (used < strlen(data)) {
				size_t part =
					strlen(data) - used < step ? strlen(data) - used : step;
				size_t written;
				size_t n = timestamps_apply(&timestamps, data + used, part, used,
							    out + total, room, &written);

				assert_true(n > 0 && n <= part && written <= room);
				used += n;
				total += written;
			}
			out[total] = '\0';
			assert_string_equal(out, want);
		}
}

static void test_timestamps_damaged(void **state)
{
	cleanup_close int fd = memfd_create("index", MFD_CLOEXEC);
	const uint64_t records[] = {0, UINT64_MAX, 5};
	struct timestamps timestamps;
	char text[TIMESTAMP_LENGTH + 1] = "";

	assert_int_equal(timestamps_init(&timestamps, fd), -EBADMSG);
	assert_int_equal(write(fd, "RBI2............", 16), 16);
	assert_int_equal(timestamps_init(&timestamps, fd), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	index_write(fd, UINT64_MAX - 5, records, ARRAY_SIZE(records)); /* and half a record */
	assert_int_equal(timestamps_init(&timestamps, fd), 0);
	timestamp_format(text, timestamps_at(&timestamps, 3));
	assert_int_equal(strlen(text), TIMESTAMP_LENGTH);
	timestamp_format(text, UINT64_MAX);
	assert_int_equal(strlen(text), TIMESTAMP_LENGTH);
}

/* A crash cuts the index anywhere: every line is still there, with the last known time. */
static void test_timestamps_torn(void **state)
{
	const uint64_t records[] = {0, 1ULL << 62, 3, 1ULL << 62 | 1, 6, 1ULL << 62 | 2};
	static const char data[] = "ab\ncd\nef\n";
	const size_t size = 16 + sizeof(records);

	for (size_t cut = 0; cut <= size; cut++) {
		cleanup_close int fd = memfd_create("index", MFD_CLOEXEC);
		struct timestamps timestamps;
		char out[256];
		size_t written;

		index_write(fd, 0, records, ARRAY_SIZE(records));
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		if (cut < 16) {
			assert_int_equal(timestamps_init(&timestamps, fd), -EBADMSG);
			continue;
		}
		assert_int_equal(timestamps_init(&timestamps, fd), 0);
		assert_int_equal(
			timestamps_apply(&timestamps, data, 9, 0, out, sizeof(out), &written), 9);
		assert_int_equal(written, 9 + 3 * TIMESTAMP_LENGTH);
		for (size_t line = 0; line < 3; line++) {
			size_t whole = (cut - 16) / 16;
			size_t wanted = whole == 0 ? 0 : line < whole ? line : whole - 1;
			const char *stamp = out + line * (TIMESTAMP_LENGTH + 3);

			assert_int_equal(stamp[TIMESTAMP_LENGTH - 3] - '0', wanted);
		}
	}
}

/* ---- facts ---- */

#define RUN(state_, steps_)                                                                        \
	"{\"id\":1,\"project\":\"demo\",\"state\":\"" state_ "\",\"steps\":[" steps_ "]}"
#define STEP(slug_, state_, attempt_, attempts_)                                                   \
	"{\"slug\":\"" slug_ "\",\"state\":\"" state_ "\",\"attempt\":" attempt_                   \
	",\"attempts\":[" attempts_ "]}"

static struct run_facts facts_of(const char *text, const char *slug, unsigned attempt)
{
	struct run_facts facts;

	assert_int_equal(run_facts_parse(text, strlen(text), slug, attempt, &facts), 0);
	return facts;
}

static void test_facts(void **state)
{
	static const char failed_first[] = "{\"attempt\":1,\"state\":\"failed\"}";
	struct run_facts facts;
	char text[1024];

	facts = facts_of(RUN("running", STEP("a", "running", "1", "")), "a", 0);
	assert_string_equal(facts.project, "demo");
	assert_true(facts.step_found && facts.attempt == 1 && !facts.attempt_final);
	assert_false(facts_of(RUN("running", STEP("a", "running", "1", "")), "b", 0).step_found);
	assert_true(facts_of(RUN("running", STEP("a", "failed", "1", "")), "a", 0).attempt_final);
	(void)snprintf(text, sizeof(text), "%s%s%s",
		       "{\"project\":\"demo\",\"state\":\"running\",\"steps\":[{\"slug\":\"a\","
		       "\"state\":\"running\",\"attempt\":2,\"attempts\":[",
		       failed_first, "]}]}");
	assert_true(facts_of(text, "a", 1).attempt_final);
	assert_false(facts_of(text, "a", 2).attempt_final);
	assert_int_equal(facts_of(text, "a", 0).attempt, 2);
	assert_true(
		facts_of(RUN("cancelled", STEP("a", "pending", "0", "")), "a", 0).attempt_final);
	assert_int_equal(run_facts_parse("{}", 2, NULL, 0, &facts), -EPROTO);
	assert_int_equal(run_facts_parse("[", 1, NULL, 0, &facts), -EPROTO);
	assert_int_equal(run_facts_parse("{\"project\":\"../x\"}", 18, NULL, 0, &facts), -EPROTO);
	assert_true(state_is_final("skipped"));
	assert_false(state_is_final("ready"));
	assert_false(state_is_final(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_found),	cmocka_unit_test(test_routes_refused),
		cmocka_unit_test(test_ranges),		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_timestamps),	cmocka_unit_test(test_timestamps_damaged),
		cmocka_unit_test(test_timestamps_torn), cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
