/* SPDX-License-Identifier: Apache-2.0 */
/* Pull requests, as each forge's documentation shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "webhook/delivery.h"
#include "webhook/forge.h"
#include "webhook/payload.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct events events;
static struct error error;

/* @text has ' in place of ". */
static int extract(const char *forge, const char *text)
{
	cleanup_free char *copy = strdup(text);
	json_error_t where;
	json_t *root;
	int r;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	root = json_loads(copy, 0, &where);
	if (!root)
		fail_msg("%s at %d: %s", where.text, where.position, copy);
	events = (struct events){.n_events = 0};
	error = (struct error){.number = 0};
	r = forge_find(forge)->pull_request(root, &events, &error);
	json_decref(root);
	return r;
}

static void event_is(const char *ref, const char *before, const char *after, uint64_t pull,
		     const char *base, bool fork)
{
	const struct event *event = &events.events[0];

	assert_int_equal(events.n_events, 1);
	assert_string_equal(event->ref, ref);
	assert_string_equal(event->before, before);
	assert_string_equal(event->after, after);
	assert_int_equal(event->pull_request, pull);
	assert_string_equal(event->base_ref, base);
	assert_int_equal(event->from_fork, fork);
}

#define GITHUB(action, head_repository)                                                            \
	"{'action':'" action "','number':7,'pull_request':{'title':'Fix\\nit','head':{'ref':"      \
	"'topic','sha':'" B40 "','repo':" head_repository "},'base':{'ref':'main','sha':'" A40     \
	"','repo':{'id':1}}},'sender':{'login':'mona'}}"

static void test_github(void **state)
{
	static const char *const ignored[] = {"closed", "labeled", "edited", "converted_to_draft"};
	static const char *const wanted[] = {"opened", "reopened", "synchronize"};
	char text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		(void)snprintf(text, sizeof(text), "%s", GITHUB("ACTION", "{'id':1}"));
		memmove(text + 11 + strlen(wanted[i]), text + 17, strlen(text + 17) + 1);
		memcpy(text + 11, wanted[i], strlen(wanted[i]));
		assert_int_equal(extract("github", text), 0);
		event_is("refs/pull/7/head", A40, B40, 7, "refs/heads/main", false);
		assert_string_equal(events.events[0].actor, "mona");
		assert_string_equal(events.events[0].title, "Fix");
	}
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		(void)snprintf(text, sizeof(text), "{'action':'%s','number':7}", ignored[i]);
		assert_int_equal(extract("github", text), -ENOMSG);
		assert_non_null(strstr(error.text, ignored[i]));
	}
	/* another repository, and one that was deleted */
	assert_int_equal(extract("github", GITHUB("opened", "{'id':2}")), 0);
	event_is("refs/pull/7/head", A40, B40, 7, "refs/heads/main", true);
	assert_int_equal(extract("github", GITHUB("opened", "null")), 0);
	event_is("refs/pull/7/head", A40, B40, 7, "refs/heads/main", true);
	assert_int_equal(extract("github", "{}"), -EBADMSG);
	assert_int_equal(extract("github", "{'action':'opened'}"), -EBADMSG);
	assert_int_equal(extract("github", "{'action':'opened','number':-1}"), -EBADMSG);
	assert_int_equal(extract("github", "{'action':'opened','number':1,'pull_request':{"
					   "'head':{'sha':'x'},'base':{'ref':'main'}}}"),
			 -EBADMSG);
	assert_int_equal(extract("github", "{'action':'opened','number':1,'pull_request':{"
					   "'head':{'sha':'" B40 "'},'base':{'ref':'a..b'}}}"),
			 -EBADMSG);
}

#define GITLAB(action, more, source)                                                               \
	"{'object_kind':'merge_request','user':{'username':'jsmith'},'object_attributes':{"        \
	"'iid':3,'title':'T','action':'" action "'," more "'target_branch':'main',"                \
	"'source_branch':'topic','source_project_id':" source ",'target_project_id':14,"           \
	"'last_commit':{'id':'" B40 "'}}}"

static void test_gitlab(void **state)
{
	assert_int_equal(extract("gitlab", GITLAB("open", "", "14")), 0);
	event_is("refs/merge-requests/3/head", "", B40, 3, "refs/heads/main", false);
	assert_int_equal(extract("gitlab", GITLAB("update", "'oldrev':'" A40 "',", "15")), 0);
	event_is("refs/merge-requests/3/head", "", B40, 3, "refs/heads/main", true);
	/* an update without new commits: a title, a label */
	assert_int_equal(extract("gitlab", GITLAB("update", "", "14")), -ENOMSG);
	assert_int_equal(extract("gitlab", GITLAB("merge", "", "14")), -ENOMSG);
	assert_int_equal(extract("gitlab", GITLAB("approved", "", "14")), -ENOMSG);
}

#define GITEA(action, head)                                                                        \
	"{'action':'" action "','number':2,'pull_request':{'title':'T','head':{'ref':'topic',"     \
	"'sha':'" B40 "','repo_id':" head "},'base':{'ref':'main','sha':'" A40                     \
	"','repo_id':1}},'sender':{'login':'gitea'}}"

static void test_gitea(void **state)
{
	static const char *const forges[] = {"gitea", "forgejo"};

	for (size_t i = 0; i < ARRAY_SIZE(forges); i++) {
		assert_int_equal(extract(forges[i], GITEA("opened", "1")), 0);
		event_is("refs/pull/2/head", A40, B40, 2, "refs/heads/main", false);
		assert_int_equal(extract(forges[i], GITEA("synchronized", "9")), 0);
		event_is("refs/pull/2/head", A40, B40, 2, "refs/heads/main", true);
		assert_int_equal(extract(forges[i], GITEA("closed", "1")), -ENOMSG);
	}
}

#define CLOUD(hash, uuid)                                                                          \
	"{'actor':{'nickname':'emmap1'},'pullrequest':{'id':5,'title':'T','source':{'branch':{"    \
	"'name':'topic'},'commit':{'hash':'" hash "'},'repository':{'uuid':'" uuid "'}},"          \
	"'destination':{'branch':{'name':'main'},'commit':{'hash':'aaaaaaaaaaaa'},"                \
	"'repository':{'uuid':'{1}'}}}}"
#define SERVER(repository)                                                                         \
	"{'eventKey':'pr:opened','actor':{'name':'admin'},'pullRequest':{'id':11,'title':'T',"     \
	"'fromRef':{'id':'refs/heads/topic','latestCommit':'" B40                                  \
	"','repository':{'id':" repository                                                         \
	"}},'toRef':{'id':'refs/heads/main','latestCommit':'" A40 "','repository':{'id':84}}}}"

static void test_bitbucket(void **state)
{
	/* Cloud sends a cut commit id, so the branch is fetched instead */
	assert_int_equal(extract("bitbucket", CLOUD("bbbbbbbbbbbb", "{1}")), 0);
	event_is("refs/heads/topic", "", "", 5, "refs/heads/main", false);
	assert_int_equal(extract("bitbucket", CLOUD(B40, "{1}")), 0);
	event_is("refs/heads/topic", "", B40, 5, "refs/heads/main", false);
	assert_int_equal(extract("bitbucket", CLOUD(B40, "{2}")), -ENOMSG);
	assert_int_equal(extract("bitbucket", SERVER("84")), 0);
	event_is("refs/pull-requests/11/from", A40, B40, 11, "refs/heads/main", false);
	assert_int_equal(extract("bitbucket", SERVER("85")), 0);
	event_is("refs/pull-requests/11/from", A40, B40, 11, "refs/heads/main", true);
	assert_int_equal(extract("bitbucket", "{'pullrequest':{}}"), -ENOMSG); /* no repository */
	assert_int_equal(extract("bitbucket", "{}"), -EBADMSG);
}

static void test_standard(void **state)
{
	assert_int_equal(extract("standard",
				 "{'data':{'number':4,'ref':'refs/changes/4','after':'" B40
				 "','base':'main','fork':false}}"),
			 0);
	event_is("refs/changes/4", "", B40, 4, "refs/heads/main", false);
	/* without "fork" a pull request counts as one from a fork */
	assert_int_equal(extract("standard",
				 "{'data':{'number':4,'ref':'refs/changes/4','after':'" B40
				 "','base':'refs/heads/main'}}"),
			 0);
	event_is("refs/changes/4", "", B40, 4, "refs/heads/main", true);
	assert_int_equal(extract("standard",
				 "{'data':{'number':4,'ref':'x','after':'" B40 "','base':'main'}}"),
			 -EBADMSG);
}

/* The whole path once: the name of the event, and the reason why one is ignored. */
static void test_delivery(void **state)
{
	static const char body[] = "{\"action\":\"closed\",\"number\":7}";
	struct headers headers = HEADERS_INIT;
	struct hook hook = {.project = "p", .forge = forge_find("github")};
	struct answer answer = {.status = 0};
	struct delivery delivery = {
		.hook = &hook,
		.headers = &headers,
		.body = body,
		.body_size = strlen(body),
	};
	crypto_auth_hmacsha256_state hmac;
	uint8_t digest[32];
	char signature[128] = "sha256=", *opened;

	hook.secret = (uint8_t *)strdup("k");
	hook.secret_size = 1;
	headers.values[HEADER_GITHUB_EVENT] = "pull_request";
	headers.values[HEADER_GITHUB_DELIVERY] = "d";
	headers.values[HEADER_HUB_SIGNATURE_256] = signature;
	for (int i = 0; i < 2; i++) {
		crypto_auth_hmacsha256_init(&hmac, hook.secret, 1);
		crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)delivery.body,
					      delivery.body_size);
		crypto_auth_hmacsha256_final(&hmac, digest);
		sodium_bin2hex(signature + 7, 65, digest, sizeof(digest));
		if (i == 0) {
			assert_int_equal(delivery_check(&delivery, &events, &answer), 200);
			assert_string_equal(answer.text, "{\"ignored\":\"pull request closed\"}\n");
			opened = strdup(GITHUB("opened", "{'id':1}"));
			for (char *c = opened; *c; c++)
				*c = *c == '\'' ? '"' : *c;
			delivery.body = opened;
			delivery.body_size = strlen(opened);
		} else {
			assert_int_equal(delivery_check(&delivery, &events, &answer), 0);
			assert_string_equal(events.name, "pull_request");
			event_is("refs/pull/7/head", A40, B40, 7, "refs/heads/main", false);
		}
	}
	free(opened);
	free(hook.secret);
}

static int setup(void **state)
{
	if (sodium_init() < 0)
		return -1;
	payload_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_github),	 cmocka_unit_test(test_gitlab),
		cmocka_unit_test(test_gitea),	 cmocka_unit_test(test_bitbucket),
		cmocka_unit_test(test_standard), cmocka_unit_test(test_delivery),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
