/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/messages/config.h"
#include "fetcher/remote.h"

#include <errno.h>
#include <string.h>

static void test_accepted(void **state)
{
	static const struct {
		const char *url;
		struct remote wanted;
	} cases[] = {
		{"file:///srv/git/a.git", {REMOTE_SCHEME_FILE, "", "", 0, "/srv/git/a.git"}},
		{"file:///a%20b/%c3%bc", {REMOTE_SCHEME_FILE, "", "", 0, "/a b/\xc3\xbc"}},
		{"https://host/a/b.git", {REMOTE_SCHEME_HTTPS, "", "host", 0, "/a/b.git"}},
		{"https://me@host:8443/a", {REMOTE_SCHEME_HTTPS, "me", "host", 8443, "/a"}},
		{"http://127.0.0.1:80/a", {REMOTE_SCHEME_HTTP, "", "127.0.0.1", 80, "/a"}},
		{"http://[::1]:8080/a", {REMOTE_SCHEME_HTTP, "", "::1", 8080, "/a"}},
		{"ssh://git@host:22/a", {REMOTE_SCHEME_SSH, "git", "host", 22, "/a"}},
		{"git@host:group/a.git", {REMOTE_SCHEME_SSH, "git", "host", 0, "group/a.git"}},
		{"host:/abs/a.git", {REMOTE_SCHEME_SSH, "", "host", 0, "/abs/a.git"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote remote;
		struct error error = ERROR_INIT;

		if (remote_parse(cases[i].url, &remote, &error) < 0)
			fail_msg("%s: %s", cases[i].url, error.text);
		assert_int_equal(remote.scheme, cases[i].wanted.scheme);
		assert_string_equal(remote.user, cases[i].wanted.user);
		assert_string_equal(remote.host, cases[i].wanted.host);
		assert_int_equal(remote.port, cases[i].wanted.port);
		assert_string_equal(remote.path, cases[i].wanted.path);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *url, *word; /* the error's sentence contains the word */
	} cases[] = {
		{"", "empty"},
		{"ext::sh -c id", "space"},
		{"ext::sh", "remote helper"},
		{"git://host/a", "scheme"},
		{"ftp://host/a", "scheme"},
		{"HTTP://host/a", "scheme"},
		{"/srv/a.git", "scheme"},
		{"./a", "scheme"},
		{"-oProxyCommand=id:a", "'-'"},
		{"https://me:pw@host/a", "password"},
		{"https://@host/a", "user name"},
		{"https://-u@host/a", "'-'"},
		{"https://-host/a", "host name"},
		{"ssh://-oProxyCommand=id/a", "host name"},
		{"https:///a", "host name"},
		{"https://host", "no path"},
		{"https://host?x/a", "no path"},
		{"https://host/a?b", "query"},
		{"https://host/a#b", "query"},
		{"https://host:0/a", "port"},
		{"https://host:65536/a", "port"},
		{"https://host:12345678/a", "port"},
		{"https://host:x/a", "port"},
		{"http://host:/", "a colon after the host and no port"},
		{"https://host:/a", "a colon after the host and no port"},
		{"ssh://git@host:/a", "a colon after the host and no port"},
		{"https://[::1]:/a", "a colon after the host and no port"},
		{"https://:80/a", "host name"},
		{"https://me@:80/a", "host name"},
		{"https://[::1/a", "address"},
		{"https://[zz]/a", "address"},
		{"https://[z:z]/a", "host name"},
		{"https://ho st/a", "space"},
		{"https://host\n/a", "control"},
		{"https://host/\x1b[m", "control"},
		{"https://h\\ost/a", "backslash"},
		{"file://host/a", "three slashes"},
		{"file:///a%00b", "NUL"},
		{"host:", "path"},
		{"host:-x", "path"},
		{"user@:a", "host name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote remote = {.port = 7};
		struct error error = ERROR_INIT;

		if (remote_parse(cases[i].url, &remote, &error) != -EINVAL)
			fail_msg("\"%s\" should be refused", cases[i].url);
		if (!strstr(error.text, cases[i].word))
			fail_msg("\"%s\": \"%s\" lacks \"%s\"", cases[i].url, error.text,
				 cases[i].word);
		assert_int_equal(remote.port, 7); /* untouched on failure */
	}
}

static void test_long(void **state)
{
	static char url[3 * URL_MAX];
	struct remote remote;
	struct error error = ERROR_INIT;

	memset(url, 'a', sizeof(url) - 1);
	assert_int_equal(remote_parse(url, &remote, &error), -EINVAL);
	url[URL_MAX] = '\0';
	url[300] = ':';
	assert_int_equal(remote_parse(url, &remote, &error), -EINVAL);
	memcpy(url, "https://", 8);
	url[300] = '/';
	assert_int_equal(remote_parse(url, &remote, &error), -EINVAL);
	memcpy(url, "file:///", 8);
	assert_int_equal(remote_parse(url, &remote, &error), 0);
}

static void test_loopback(void **state)
{
	static const struct {
		const char *url;
		bool loopback;
	} cases[] = {
		{"http://localhost/a", true},	    {"http://127.0.0.1/a", true},
		{"http://127.9.9.9:1/a", true},	    {"http://[::1]/a", true},
		{"http://localhost.evil/a", false}, {"http://128.0.0.1/a", false},
		{"http://127.0.0.1.evil/a", false}, {"http://[::2]/a", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote remote;

		assert_int_equal(remote_parse(cases[i].url, &remote, NULL), 0);
		assert_int_equal(remote_is_loopback(&remote), cases[i].loopback);
	}
}

static struct message *config(const char *project, const char *password, size_t length)
{
	return MESSAGE_NEW(config_repository, 0, .project = project, .url = "https://host/a",
			   .user = "ci", .password = {password, length}, .ssh_key = {"KEY\n", 4},
			   .known_hosts = "host ssh-ed25519 AAAA");
}

static void test_repository(void **state)
{
	cleanup_message struct message *message = config("web", "token\n", 6);
	cleanup_message struct message *again = NULL;
	cleanup_repository struct repository *repository = NULL;
	cleanup_repository struct repository *copy = NULL;

	assert_int_equal(repository_read(message, &repository), 0);
	assert_string_equal(repository->password, "token"); /* without the file's newline */
	assert_string_equal(repository->ssh_key, "KEY\n");
	again = repository_write(repository);
	assert_int_equal(repository_read(again, &copy), 0);
	assert_string_equal(copy->project, "web");
	assert_string_equal(copy->url, "https://host/a");
	assert_string_equal(copy->user, "ci");
	assert_string_equal(copy->password, "token");
	assert_string_equal(copy->known_hosts, "host ssh-ed25519 AAAA");
}

static void test_repository_malformed(void **state)
{
	cleanup_message struct message *name = config("../web", "x", 1);
	cleanup_message struct message *nul = config("web", "a\0b", 3);
	cleanup_message struct message *less = config("web", "x", 1);
	struct repository *repository = NULL;

	less->length--;
	assert_int_equal(repository_read(name, &repository), -EBADMSG);
	assert_int_equal(repository_read(nul, &repository), -EBADMSG);
	assert_int_equal(repository_read(less, &repository), -EBADMSG);
	assert_null(repository);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long),	   cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_repository), cmocka_unit_test(test_repository_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
