/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations and credentials of pulls, and the runs that may use the images. */
#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "images/destination.h"
#include "images/policy.h"
#include "images/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/cmocka_headers.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union address address_of(const char *text, uint16_t port)
{
	union address address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, text, &address.in.sin_addr) == 1) {
		address.in.sin_family = AF_INET;
		address.in.sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons(port);
	}
	return address;
}

static void test_destinations(void **state)
{
	static const char *const public[] = {"1.1.1.1",	       "9.255.255.255",	  "11.0.0.0",
					     "100.63.255.255", "100.128.0.0",	  "172.15.255.255",
					     "172.32.0.0",     "223.255.255.255", "2606:4700::1111",
					     "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"};
	static const char *const private[] = {"0.0.0.0",
					      "10.1.2.3",
					      "100.64.0.1",
					      "100.100.100.200",
					      "127.0.0.1",
					      "127.255.255.255",
					      "168.63.129.16",
					      "169.254.169.254",
					      "172.16.0.1",
					      "172.31.255.255",
					      "192.168.0.1",
					      "198.19.0.1",
					      "224.0.0.1",
					      "255.255.255.255",
					      "::",
					      "::1",
					      "::ffff:127.0.0.1",
					      "::ffff:10.0.0.1",
					      "::10.0.0.1",
					      "64:ff9b::169.254.169.254",
					      "64:ff9b:1::1.1.1.1",
					      "2002:0a00:0001::1",
					      "2001::1",
					      "2001:db8::1",
					      "fc00::1",
					      "fd00:ec2::254",
					      "fe80::1",
					      "fec0::1",
					      "ff02::1"};
	union address other = {.any.sa_family = AF_UNIX};

	for (size_t i = 0; i < ARRAY_SIZE(public); i++) {
		union address address = address_of(public[i], 443);

		if (!destination_public(&address.any, sizeof(address)))
			fail_msg("%s is of the internet", public[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(private); i++) {
		union address address = address_of(private[i], 443);

		if (destination_public(&address.any, sizeof(address)))
			fail_msg("%s is not of the internet", private[i]);
	}
	assert_false(destination_public(&other.any, sizeof(other)));
	other = address_of("1.1.1.1", 443);
	assert_false(destination_public(&other.any, 4)); /* cut off */
}

static void test_same_and_own(void **state)
{
	union address plain = address_of("127.0.0.1", 80),
		      mapped = address_of("::ffff:127.0.0.1", 80);
	union address port = address_of("127.0.0.1", 81), far = address_of("203.0.113.77", 80);
	char text[80];

	assert_true(destination_same(&plain.any, &mapped.any));
	assert_false(destination_same(&plain.any, &port.any));
	assert_true(destination_own(&plain.any));
	assert_false(destination_own(&far.any));
	destination_describe(&far.any, text, sizeof(text));
	assert_string_equal(text, "203.0.113.77:80");
	destination_describe(&mapped.any, text, sizeof(text));
	assert_string_equal(text, "[::ffff:127.0.0.1]:80");
}

static void test_scope_text(void **state)
{
	static const char *const bad[] = {"",
					  "forks",
					  ID_A,
					  ID_A " ",
					  ID_A " other",
					  ID_A "  forks",
					  ID_A " projects A",
					  ID_A " projects a  b",
					  ID_A " projects ../b",
					  ID_A " projects a ",
					  ID_A " forks "};
	char text[IMAGE_SCOPE_MAX + IMAGE_ID_SIZE + 16];
	struct scope scope, again;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(scope_parse(bad[i], ID_A, &scope), -EBADMSG);
	assert_int_equal(scope_parse(ID_A " forks", ID_B, &scope), -ESTALE);
	assert_int_equal(scope_parse(ID_A " everyone", ID_A, &scope), 0);
	assert_true(scope.everyone && !scope.forks);
	assert_int_equal(scope_parse(ID_A " projects a b.c", ID_A, &scope), 0);
	assert_true(!scope.everyone && !scope.forks);
	assert_string_equal(scope.projects, "a b.c");
	scope_format(&scope, ID_B, text, sizeof(text));
	assert_int_equal(scope_parse(text, ID_B, &again), 0);
	assert_memory_equal(&scope, &again, sizeof(scope));
}

static void test_scope_add(void **state)
{
	struct scope scope = {.forks = false};
	char name[PROJECT_NAME_MAX + 1];

	scope_add(&scope, "a");
	scope_add(&scope, "b");
	scope_add(&scope, "a");
	assert_string_equal(scope.projects, "a b");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "project-with-a-long-name-%d", i);
		scope_add(&scope, name);
		assert_true(strlen(scope.projects) <= IMAGE_SCOPE_MAX);
	}
	assert_non_null(strstr(scope.projects, " project-with-a-long-name-99"));
	assert_null(strstr(scope.projects, "name-1 "));
	scope_add(&scope, SCOPE_EVERYONE);
	assert_true(scope.everyone && !scope.forks && !scope.projects[0]);
	scope_add(&scope, SCOPE_ANYONE);
	assert_true(scope.forks);
	scope_add(&scope, "a");
	assert_true(scope.forks && scope.everyone);
}

static void test_scope_files(void **state)
{
	char path[] = "/tmp/rbt.XXXXXX";
	struct store store = STORE_NULL;
	struct error error = ERROR_INIT;
	struct scope scope;

	assert_non_null(mkdtemp(path));
	assert_int_equal(store_open(&store, path, &error), 0);
	assert_int_equal(scope_read(&store, "r/x:1", ID_A, &scope), -ENOENT);
	assert_int_equal(scope_note(&store, "r/x:1", ID_A, "a"), 0);
	assert_int_equal(store_name_put(&store, "r/x:1", ID_A), 0);
	assert_int_equal(scope_note(&store, "r/x:1", ID_A, "b"), 0);
	assert_int_equal(scope_read(&store, "r/x:1", ID_A, &scope), 0);
	assert_string_equal(scope.projects, "a b");
	/* another image under the name: the old scope does not apply to it */
	assert_int_equal(scope_note(&store, "r/x:1", ID_B, SCOPE_ANYONE), 0);
	/* after a kill at this point, no run may use the old image, instead of all */
	assert_int_equal(scope_read(&store, "r/x:1", ID_A, &scope), -ESTALE);
	assert_int_equal(store_name_put(&store, "r/x:1", ID_B), 0);
	assert_int_equal(scope_read(&store, "r/x:1", ID_B, &scope), 0);
	assert_true(scope.forks);
	/* a scope of a pull that did not end has no effect */
	assert_int_equal(scope_note(&store, "r/x:1", ID_A, SCOPE_EVERYONE), 0);
	assert_int_equal(scope_note(&store, "r/x:1", ID_A, "a"), 0);
	assert_int_equal(scope_read(&store, "r/x:1", ID_A, &scope), 0);
	assert_false(scope.everyone);
	assert_int_equal(store_name_remove(&store, "r/x:1"), 0);
	assert_int_equal(scope_read(&store, "r/x:1", ID_A, &scope), -ENOENT);
	store_close(&store);
	assert_int_equal(remove_tree(AT_FDCWD, path), 0);
}

static void test_auth_covers(void **state)
{
	static const struct {
		const char *auth, *reference;
		bool covers;
	} cases[] = {
		{"", "r.example/x:1", false},
		{"{}", "r.example/x:1", false},
		{"{\"auths\":{}}", "r.example/x:1", false},
		{"{\"auths\":{\"r.example\":{}}}", "r.example/x:1", true},
		{"{\"auths\":{\"https://r.example\":{}}}", "r.example/x:1", true},
		{"{\"auths\":{\"r.example\":{}}}", "r.example:5000/x:1", true},
		{"{\"auths\":{\"r.example:5000\":{}}}", "r.example/x:1", false},
		{"{\"auths\":{\"r.example\":{}}}", "r.example.org/x:1", false},
		{"{\"auths\":{\"r.example/a\":{}}}", "r.example/a/x:1", true},
		{"{\"auths\":{\"r.example/a\":{}}}", "r.example/ab/x:1", false},
		{"{\"auths\":{\"r.example/a/x\":{}}}", "r.example/a/x@sha256:0", true},
		{"{\"auths\":{\"docker.io\":{}}}", "debian:12", true},
		{"{\"auths\":{\"https://index.docker.io/v1/\":{}}}", "library/debian:12", true},
		{"{\"auths\":{\"https://index.docker.io/v1/\":{}}}", "docker.io/x/y:1", true},
		{"{\"auths\":{\"docker.io\":{}}}", "r.example/x:1", false},
		{"{\"auths\":{\"docker.io\":{}}}", "localhost/x:1", false},
		/* an unknown form counts as covering, so that the image is private */
		{"{\"credHelpers\":{\"r.example\":\"x\"}}", "other.example/x:1", true},
		{"{\"auths\":", "r.example/x:1", true},
		{"[]", "r.example/x:1", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (auth_covers(cases[i].auth, strlen(cases[i].auth), cases[i].reference) !=
		    cases[i].covers)
			fail_msg("%s for %s", cases[i].auth, cases[i].reference);
	}
}

static void test_policy(void **state)
{
	static const char host[] = "{\"auths\":{\"r.example\":{},\"s.example\":{}}}";
	static const char own[] = "{\"auths\":{\"s.example/p\":{}}}";
	struct policy policy = {.auth = NULL};
	const char *data;
	size_t size;

	assert_int_equal(policy_rule_add(&policy, IMAGE_NUM_RULES, "x"), -EBADMSG);
	assert_int_equal(policy_rule_add(&policy, IMAGE_RULE_FORK, ""), -EBADMSG);
	assert_int_equal(policy_rule_add(&policy, IMAGE_RULE_FORK, "r.example/public/*"), 0);
	assert_int_equal(policy_rule_add(&policy, IMAGE_RULE_FORK, "debian:12"), 0);
	assert_true(policy_fork_may(&policy, "r.example/public/x:1"));
	assert_true(policy_fork_may(&policy, "debian:12"));
	assert_false(policy_fork_may(&policy, "debian:13"));
	assert_false(policy_fork_may(&policy, "r.example/private/x:1"));
	assert_false(policy_fork_may(&policy, "evil.example/r.example/public/x:1"));
	assert_int_equal(policy_auth_add(&policy, NULL, host, strlen(host)), 0);
	assert_int_equal(policy_auth_add(&policy, "p", own, strlen(own)), 0);
	assert_string_equal(policy_auth(&policy, "q", false, "s.example/p/x:1", &data, &size), "*");
	assert_string_equal(policy_auth(&policy, "p", false, "s.example/p/x:1", &data, &size), "p");
	assert_string_equal(data, own);
	assert_string_equal(policy_auth(&policy, "p", false, "s.example/q/x:1", &data, &size), "*");
	assert_string_equal(data, host);
	assert_string_equal(policy_auth(&policy, NULL, false, "s.example/p/x:1", &data, &size),
			    "*");
	assert_string_equal(policy_auth(&policy, "p", false, "t.example/x:1", &data, &size), "");
	assert_null(data);
	assert_string_equal(policy_auth(&policy, "p", true, "s.example/p/x:1", &data, &size), "");
	assert_null(data);
	assert_int_equal(size, 0);
	for (int i = 0; i < IMAGE_RULES_MAX; i++)
		assert_int_equal(policy_rule_add(&policy, IMAGE_RULE_PRIVATE, "x"), 0);
	assert_int_equal(policy_rule_add(&policy, IMAGE_RULE_PRIVATE, "x"), -E2BIG);
	policy_clear(&policy);
	assert_false(policy_fork_may(&policy, "debian:12"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destinations), cmocka_unit_test(test_same_and_own),
		cmocka_unit_test(test_scope_text),   cmocka_unit_test(test_scope_add),
		cmocka_unit_test(test_scope_files),  cmocka_unit_test(test_auth_covers),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
