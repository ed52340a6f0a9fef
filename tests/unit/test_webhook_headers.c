/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/limits.h"
#include "webhook/headers.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct field {
	const char *name, *value;
};

static struct headers headers_of(const struct field *fields, size_t n)
{
	struct headers headers = HEADERS_INIT;

	for (size_t i = 0; i < n; i++)
		headers_add(&headers, fields[i].name, fields[i].value, strlen(fields[i].value));
	return headers;
}

static void test_framing(void **state)
{
	static const struct {
		int status;
		const char *version;
		struct field fields[2];
		uint64_t length;
		bool chunked;
	} cases[] = {
		{0, "HTTP/1.1", {{"Host", "x"}, {"X-Other", "y"}}, 0, false},
		{0, "HTTP/1.1", {{"Content-Length", "12"}}, 12, false},
		{0, "HTTP/1.0", {{"content-LENGTH", "0012"}}, 12, false},
		{0,
		 "HTTP/1.1",
		 {{"Content-Length", "18446744073709551600"}},
		 18446744073709551600u},
		{0, "HTTP/1.1", {{"Transfer-Encoding", "Chunked"}}, 0, true},
		{0, "HTTP/1.1", {{"Expect", "100-Continue"}}, 0, false},
		{0, "HTTP/1.1", {{"X-Other", "1"}, {"X-Other", "2"}}, 0, false},
		{400, "HTTP/1.1", {{"Content-Length", "12"}, {"Transfer-Encoding", "chunked"}}},
		{400, "HTTP/1.1", {{"Content-Length", "12"}, {"Content-Length", "12"}}},
		{400, "HTTP/1.1", {{"Content-Length", "12, 12"}}},
		{400, "HTTP/1.1", {{"Content-Length", "+12"}}},
		{400, "HTTP/1.1", {{"Content-Length", "-1"}}},
		{400, "HTTP/1.1", {{"Content-Length", "1 2"}}},
		{400, "HTTP/1.1", {{"Content-Length", "0x1"}}},
		{400, "HTTP/1.1", {{"Content-Length", ""}}},
		{413, "HTTP/1.1", {{"Content-Length", "99999999999999999999"}}},
		{400, "HTTP/1.1", {{"Transfer-Encoding", "gzip, chunked"}}},
		{400,
		 "HTTP/1.1",
		 {{"Transfer-Encoding", "chunked"}, {"transfer-encoding", "chunked"}}},
		{400, "HTTP/1.1", {{"Transfer-Encoding", ""}}},
		{400, "HTTP/1.0", {{"Transfer-Encoding", "chunked"}}},
		{400, "HTTP/1.1", {{"X-Hub-Signature-256", "a"}, {"x-hub-signature-256", "b"}}},
		{417, "HTTP/1.1", {{"Expect", "cake"}}},
		{505, "HTTP/2.0", {{"Host", "x"}}},
		{505, "HTTP/0.9", {{"Host", "x"}}},
		{505, "", {{"Host", "x"}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request_line line = {"POST", "/", cases[i].version};
		size_t n = cases[i].fields[1].name ? 2 : 1;
		struct headers headers = headers_of(cases[i].fields, n);
		struct request_body body;
		struct answer answer = {.status = 0};

		assert_int_equal(headers_check_framing(&headers, &line, &body, &answer),
				 cases[i].status);
		if (cases[i].status) {
			assert_true(answer.close);
			assert_int_equal(answer.status, cases[i].status);
			continue;
		}
		assert_true(body.length == cases[i].length);
		assert_int_equal(body.chunked, cases[i].chunked);
	}
}

static void test_nul(void **state)
{
	struct headers headers = HEADERS_INIT;
	struct request_line line = {"POST", "/", "HTTP/1.1"};
	struct request_body body;
	struct answer answer;

	headers_add(&headers, "X-GitHub-Event", "push\0x", 6);
	assert_int_equal(headers_check_framing(&headers, &line, &body, &answer), 400);
}

static void test_routes(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		enum route route;
		const char *project;
	} cases[] = {
		{"GET", "/healthz", 0, ROUTE_HEALTH, ""},
		{"HEAD", "/healthz", 0, ROUTE_HEALTH, ""},
		{"POST", "/healthz", 405},
		{"GET", "/healthz/", 404},
		{"POST", "/webhook/a", 0, ROUTE_WEBHOOK, "a"},
		{"POST", "/webhook/a/b", 0, ROUTE_WEBHOOK, "a/b"}, /* no such project */
		{"POST", "/webhook/", 0, ROUTE_WEBHOOK, ""},
		{"POST", "/webhook", 404},
		{"GET", "/webhook/a", 405},
		{"post", "/webhook/a", 405},
		{"GET", "/", 404},
		{"GET", "", 404},
		{"GET", "http://x/healthz", 404},
		{"POST", "//webhook/a", 404},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request_line line = {cases[i].method, cases[i].path, "HTTP/1.1"};
		struct answer answer = {.status = 0};
		const char *project = NULL;
		enum route route;

		assert_int_equal(request_route(&line, &route, &project, &answer), cases[i].status);
		assert_int_equal(answer.status, cases[i].status);
		if (cases[i].status == 405)
			assert_non_null(answer.allow);
		if (cases[i].status)
			continue;
		assert_int_equal(route, cases[i].route);
		assert_string_equal(project, cases[i].project);
	}
}

static void test_body(void **state)
{
	static const struct {
		int status;
		const char *type, *coding;
		uint64_t length;
		bool form;
	} cases[] = {
		{0, "application/json", NULL, 0, false},
		{0, "APPLICATION/JSON;charset=utf-8", "identity", WEBHOOK_BODY_MAX, false},
		{0, "application/x-www-form-urlencoded", NULL, 5, true},
		{415, NULL, NULL, 0},
		{415, "", NULL, 0},
		{415, "application/jsonx", NULL, 0},
		{415, "text/json", NULL, 0},
		{415, "application/json", "gzip", 0},
		{413, "application/json", NULL, WEBHOOK_BODY_MAX + 1},
		{413, "application/json", NULL, UINT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct headers headers = HEADERS_INIT;
		struct request_body body = {.length = cases[i].length};
		struct answer answer = {.status = 0};

		headers.values[HEADER_CONTENT_TYPE] = cases[i].type;
		headers.values[HEADER_CONTENT_ENCODING] = cases[i].coding;
		assert_int_equal(headers_check_body(&headers, &body, &answer), cases[i].status);
		if (cases[i].status == 0)
			assert_int_equal(body.form, cases[i].form);
	}
}

/* An answer is one JSON object for any bytes in its sentence. */
static void test_answers_are_json(void **state)
{
	static const char *const texts[] = {
		"plain",	   "\"quoted\\\"", "tab\tline\nescape\033[31m",
		"\xff\xfe broken", "\u00e4\u20ac",
	};
	char longest[3000];
	struct answer answer;
	json_t *root;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		answer_error(&answer, 400, "it is %s", texts[i]);
		root = json_loads(answer.text, 0, NULL);
		assert_non_null(json_object_get(root, "error"));
		json_decref(root);
	}
	memset(longest, '"', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	answer_ignored(&answer, "%s", longest);
	root = json_loads(answer.text, 0, NULL);
	assert_non_null(json_object_get(root, "ignored"));
	json_decref(root);
}

static void test_answer_runs(void **state)
{
	struct answer_run runs[32];
	char url[URL_MAX + 1];
	struct answer answer;
	json_t *root;

	runs[0] = (struct answer_run){42, false};
	answer_runs(&answer, runs, 1, "https://x/\"");
	assert_int_equal(answer.status, 202);
	assert_string_equal(answer.text, "{\"run\":42,\"url\":\"https://x/\\\"\"}\n");
	runs[0].duplicate = true;
	answer_runs(&answer, runs, 1, "/r");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.text, "{\"run\":42,\"url\":\"/r\",\"duplicate\":true}\n");
	runs[1] = (struct answer_run){43, false};
	answer_runs(&answer, runs, 2, "/r");
	assert_int_equal(answer.status, 202);
	assert_string_equal(answer.text, "{\"run\":42,\"url\":\"/r\",\"runs\":[42,43]}\n");
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i].run = UINT64_MAX / 2;
	memset(url, 'u', URL_MAX);
	url[URL_MAX] = '\0';
	answer_runs(&answer, runs, ARRAY_SIZE(runs), url);
	root = json_loads(answer.text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "runs")), ARRAY_SIZE(runs));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),		 cmocka_unit_test(test_nul),
		cmocka_unit_test(test_routes),		 cmocka_unit_test(test_body),
		cmocka_unit_test(test_answers_are_json), cmocka_unit_test(test_answer_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
