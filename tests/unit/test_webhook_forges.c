/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliveries of each forge, signed as its documentation requires, go through
 * delivery_check(): signature, headers, payload, events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/providers.h"
#include "webhook/delivery.h"
#include "webhook/forge.h"
#include "webhook/payload.h"
#include "webhook/signature.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "s3cret"
#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C40 "cccccccccccccccccccccccccccccccccccccccc"
#define Z40 "0000000000000000000000000000000000000000"
#define NOW 1700000000

/* Results and headers of the delivery under test; reset by setup(). */
static struct events events;
static struct answer answer;
static struct headers headers;
static char signature[256];

static void mac(uint8_t out[32], const void *key, size_t key_size, const char *text)
{
	crypto_auth_hmacsha256_state hmac;

	crypto_auth_hmacsha256_init(&hmac, key, key_size);
	crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)text, strlen(text));
	crypto_auth_hmacsha256_final(&hmac, out);
}

static const char *hex_of(const char *prefix, const char *text)
{
	uint8_t digest[32];

	mac(digest, SECRET, strlen(SECRET), text);
	strcpy(signature, prefix);
	sodium_bin2hex(signature + strlen(prefix), 65, digest, sizeof(digest));
	return signature;
}

static int check_with(const char *forge, const char *secret, const char *body, bool form)
{
	struct hook hook = {.project = "p", .forge = forge_find(forge)};
	struct delivery delivery = {
		.hook = &hook,
		.headers = &headers,
		.body = body,
		.body_size = strlen(body),
		.form = form,
		.now_sec = NOW,
	};
	int status;

	hook.secret = (uint8_t *)strdup(secret);
	hook.secret_size = strlen(secret);
	events = (struct events){.n_events = 99};
	answer = (struct answer){.status = 0};
	status = delivery_check(&delivery, &events, &answer);
	free(hook.secret);
	if (status != 0)
		assert_int_equal(status, answer.status);
	return status;
}

static void assert_event(size_t i, const char *ref, const char *before, const char *after,
			 const char *actor, const char *title)
{
	assert_true(i < events.n_events);
	assert_string_equal(events.events[i].ref, ref);
	assert_string_equal(events.events[i].before, before);
	assert_string_equal(events.events[i].after, after);
	assert_string_equal(events.events[i].actor, actor);
	assert_string_equal(events.events[i].title, title);
}

/* ---- GitHub ---- */

static int github(const char *event, const char *body)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_GITHUB_EVENT] = event;
	headers.values[HEADER_GITHUB_DELIVERY] = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
	headers.values[HEADER_HUB_SIGNATURE_256] = hex_of("sha256=", body);
	return check_with("github", SECRET, body, false);
}

#define GITHUB_PUSH(ref, after, head)                                                              \
	"{\"ref\":\"" ref "\",\"before\":\"" A40 "\",\"after\":\"" after                           \
	"\",\"head_commit\":" head                                                                 \
	",\"repository\":{\"full_name\":\"octo/hello\"},\"pusher\":{\"name\":\"mona\"},"           \
	"\"sender\":{\"login\":\"lisa\"}}"
#define GITHUB_HEAD "{\"id\":\"" B40 "\",\"message\":\"Fix it\\n\\nAll of it\"}"

static void test_github(void **state)
{
	const char *push = GITHUB_PUSH("refs/heads/main", B40, GITHUB_HEAD);

	assert_int_equal(github("push", push), 0);
	assert_int_equal(events.n_events, 1);
	assert_string_equal(events.name, "push");
	assert_string_equal(events.delivery_id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
	assert_event(0, "refs/heads/main", A40, B40, "mona", "Fix it");
	/* an annotated tag: the commit, not the tag object */
	assert_int_equal(github("push", GITHUB_PUSH("refs/tags/v1", C40, GITHUB_HEAD)), 0);
	assert_event(0, "refs/tags/v1", A40, B40, "mona", "Fix it");
	assert_int_equal(github("push", GITHUB_PUSH("refs/heads/x", Z40, "null")), 200);
	assert_string_equal(answer.text, "{\"ignored\":\"the ref was deleted\"}\n");
	assert_int_equal(github("push", GITHUB_PUSH("refs/tags/x", Z40, "null")), 200);
	assert_int_equal(github("ping", "{\"zen\":\"x\"}"), 200);
	assert_string_equal(answer.text, "{\"pong\":\"p\"}\n");
	assert_int_equal(github("check_run", "{}"), 200);
	assert_string_equal(answer.text, "{\"ignored\":\"event check_run\"}\n");
	assert_int_equal(github("push", "{}"), 400);
	assert_int_equal(github("push", GITHUB_PUSH("main", B40, "null")), 400);
	assert_int_equal(github("push", GITHUB_PUSH("refs/heads/a b", B40, "null")), 400);
	assert_int_equal(github("push", GITHUB_PUSH("refs/heads/x", "bbb", "null")), 400);
	assert_int_equal(github(NULL, push), 400);
	assert_int_equal(github("push", "not json"), 400);
	/* the signature is checked before the body is parsed */
	headers.values[HEADER_HUB_SIGNATURE_256] = "sha256=00";
	assert_int_equal(check_with("github", SECRET, "not json", false), 401);
	headers.values[HEADER_HUB_SIGNATURE_256] = NULL;
	headers.values[HEADER_HUB_SIGNATURE] = hex_of("sha256=", "not json");
	assert_int_equal(check_with("github", SECRET, "not json", false), 401);
}

/* ---- GitLab ---- */

#define GITLAB_PUSH                                                                                \
	"{\"object_kind\":\"push\",\"before\":\"" A40 "\",\"after\":\"" B40                        \
	"\",\"ref\":\"refs/heads/main\",\"checkout_sha\":\"" B40                                   \
	"\",\"user_name\":\"Jo Smith\",\"user_username\":\"jsmith\",\"commits\":["                 \
	"{\"id\":\"" A40 "\",\"message\":\"first\"},{\"id\":\"" B40                                \
	"\",\"message\":\"last\\n\"}]}"
#define GITLAB_TAG                                                                                 \
	"{\"object_kind\":\"tag_push\",\"before\":\"" Z40 "\",\"after\":\"" C40                    \
	"\",\"ref\":\"refs/tags/v1\",\"checkout_sha\":\"" B40                                      \
	"\",\"message\":\"Version 1\",\"user_username\":\"jsmith\",\"commits\":[]}"
#define GITLAB_GONE                                                                                \
	"{\"object_kind\":\"push\",\"before\":\"" A40 "\",\"after\":\"" Z40                        \
	"\",\"ref\":\"refs/heads/x\",\"checkout_sha\":null,\"commits\":[]}"

static void test_gitlab_token(void **state)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_GITLAB_EVENT] = "Push Hook";
	headers.values[HEADER_GITLAB_TOKEN] = SECRET;
	headers.values[HEADER_GITLAB_EVENT_UUID] = "e-1";
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_PUSH, false), 0);
	assert_event(0, "refs/heads/main", A40, B40, "jsmith", "last");
	assert_string_equal(events.delivery_id, "e-1");
	headers.values[HEADER_IDEMPOTENCY_KEY] = "k-1";
	headers.values[HEADER_GITLAB_EVENT] = "Tag Push Hook";
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_TAG, false), 0);
	assert_event(0, "refs/tags/v1", Z40, B40, "jsmith", "Version 1");
	assert_string_equal(events.delivery_id, "k-1");
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_GONE, false), 200);
	headers.values[HEADER_GITLAB_EVENT] = "Pipeline Hook";
	assert_int_equal(check_with("gitlab", SECRET, "{}", false), 200);
	headers.values[HEADER_GITLAB_TOKEN] = "s3cres";
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_PUSH, false), 401);
	headers.values[HEADER_GITLAB_TOKEN] = "";
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_PUSH, false), 401);
	assert_int_equal(check_with("gitlab", "", GITLAB_PUSH, false), 401);
	headers.values[HEADER_GITLAB_TOKEN] = NULL;
	assert_int_equal(check_with("gitlab", SECRET, GITLAB_PUSH, false), 401);
	/* a signing token does not work as a plain one */
	headers.values[HEADER_GITLAB_TOKEN] = "whsec_c2VjcmV0";
	assert_int_equal(check_with("gitlab", "whsec_c2VjcmV0", GITLAB_PUSH, false), 401);
}

/* The three webhook-* headers for @body at @when, with the key "secret". */
static void sign_standard(const char *id, const char *when, const char *body)
{
	static char text[4096];
	char base64[64];
	uint8_t digest[32];

	(void)snprintf(text, sizeof(text), "%s.%s.%s", id, when, body);
	mac(digest, "secret", 6, text);
	sodium_bin2base64(base64, sizeof(base64), digest, sizeof(digest),
			  sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(signature, sizeof(signature), "v1,%s", base64);
	headers.values[HEADER_WEBHOOK_ID] = id;
	headers.values[HEADER_WEBHOOK_TIMESTAMP] = when;
	headers.values[HEADER_WEBHOOK_SIGNATURE] = signature;
}

#define WHSEC "whsec_c2VjcmV0" /* "secret" */

static void test_gitlab_signed(void **state)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_GITLAB_EVENT] = "Push Hook";
	headers.values[HEADER_IDEMPOTENCY_KEY] = "id-1";
	sign_standard("id-1", "1700000000", GITLAB_PUSH);
	assert_int_equal(check_with("gitlab", WHSEC, GITLAB_PUSH, false), 0);
	assert_event(0, "refs/heads/main", A40, B40, "jsmith", "last");
	/* the key as text without the prefix */
	assert_int_equal(check_with("gitlab", "secret", GITLAB_PUSH, false), 0);
	/* a wrong signature is refused even with the right token */
	headers.values[HEADER_GITLAB_TOKEN] = "other";
	assert_int_equal(check_with("gitlab", "other", GITLAB_PUSH, false), 401);
	sign_standard("id-1", "1699999000", GITLAB_PUSH);
	assert_int_equal(check_with("gitlab", WHSEC, GITLAB_PUSH, false), 401);
	assert_non_null(strstr(answer.text, "clocks"));
}

/* ---- Gitea, Forgejo ---- */

#define GITEA_PUSH                                                                                 \
	"{\"ref\":\"refs/heads/develop\",\"before\":\"" A40 "\",\"after\":\"" B40                  \
	"\",\"commits\":[{\"id\":\"" B40                                                           \
	"\",\"message\":\"newest\\nmore\"},{\"message\":\"old\"}],"                                \
	"\"pusher\":{\"login\":\"gitea\",\"username\":\"gitea\"}}"

static void test_gitea(void **state)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_GITEA_EVENT] = "push";
	headers.values[HEADER_GITEA_DELIVERY] = "f6266f16-1bf3-46a5-9ea4-602e06ead473";
	headers.values[HEADER_GITEA_SIGNATURE] = hex_of("", GITEA_PUSH);
	assert_int_equal(check_with("gitea", SECRET, GITEA_PUSH, false), 0);
	assert_event(0, "refs/heads/develop", A40, B40, "gitea", "newest");
	/* as a form, whose JSON text alone is signed */
	assert_int_equal(check_with("gitea", SECRET, "payload=" GITEA_PUSH, true), 0);
	assert_int_equal(check_with("gitea", SECRET, "x=" GITEA_PUSH, true), 401);
	assert_int_equal(check_with("gitea", SECRET, "payload=" GITEA_PUSH "x", true), 401);
	headers.values[HEADER_GITEA_SIGNATURE] = ""; /* what Gitea sends without a secret */
	assert_int_equal(check_with("gitea", SECRET, GITEA_PUSH, false), 401);
	assert_int_equal(check_with("gitea", "", GITEA_PUSH, false), 401);
	headers.values[HEADER_GITEA_SIGNATURE] = hex_of("sha256=", GITEA_PUSH);
	assert_int_equal(check_with("gitea", SECRET, GITEA_PUSH, false), 401);
}

static void test_forgejo(void **state)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_FORGEJO_EVENT] = "push";
	headers.values[HEADER_FORGEJO_DELIVERY] = "d-2";
	headers.values[HEADER_GITEA_DELIVERY] = "d-1";
	headers.values[HEADER_FORGEJO_SIGNATURE] = hex_of("", GITEA_PUSH);
	assert_int_equal(check_with("forgejo", SECRET, GITEA_PUSH, false), 0);
	assert_string_equal(events.delivery_id, "d-2");
	headers.values[HEADER_FORGEJO_SIGNATURE] = NULL;
	assert_int_equal(check_with("forgejo", SECRET, GITEA_PUSH, false), 401);
	headers = HEADERS_INIT; /* an old release */
	headers.values[HEADER_GITEA_EVENT] = "push";
	headers.values[HEADER_GITEA_DELIVERY] = "d-1";
	headers.values[HEADER_GITEA_SIGNATURE] = hex_of("", GITEA_PUSH);
	assert_int_equal(check_with("forgejo", SECRET, GITEA_PUSH, false), 0);
	headers.values[HEADER_GITEA_EVENT] = "create";
	assert_int_equal(check_with("forgejo", SECRET, GITEA_PUSH, false), 200);
}

/* ---- Bitbucket ---- */

#define CLOUD_REF(type, name, hash)                                                                \
	"{\"type\":\"" type "\",\"name\":\"" name "\",\"target\":{\"hash\":\"" hash                \
	"\",\"message\":\"say " name "\\n\"}}"
#define CLOUD_PUSH                                                                                 \
	"{\"actor\":{\"display_name\":\"Emma\",\"nickname\":\"emmap1\"},\"push\":{\"changes\":["   \
	"{\"new\":" CLOUD_REF("branch", "main", B40) ",\"old\":" CLOUD_REF(                        \
		"branch", "main", A40) "},"                                                        \
				       "{\"new\":null,\"old\":" CLOUD_REF(                         \
					       "branch", "gone",                                   \
					       A40) "},"                                           \
						    "{\"new\":" CLOUD_REF("tag", "v1",             \
									  C40) ",\"old\":null}]}}"
#define SERVER_PUSH                                                                                \
	"{\"eventKey\":\"repo:refs_changed\",\"actor\":{\"name\":\"admin\"},\"changes\":["         \
	"{\"ref\":{\"id\":\"refs/heads/main\"},\"type\":\"UPDATE\",\"fromHash\":\"" A40            \
	"\",\"toHash\":\"" B40 "\"},{\"ref\":{\"id\":\"refs/heads/x\"},\"type\":\"DELETE\","       \
	"\"fromHash\":\"" A40 "\",\"toHash\":\"" Z40 "\"}]}"

static int bitbucket(const char *event, const char *body)
{
	headers = HEADERS_INIT;
	headers.values[HEADER_EVENT_KEY] = event;
	headers.values[HEADER_REQUEST_UUID] = "6a3a6c13";
	headers.values[HEADER_HUB_SIGNATURE] = hex_of("sha256=", body);
	return check_with("bitbucket", SECRET, body, false);
}

static void test_bitbucket(void **state)
{
	assert_int_equal(bitbucket("repo:push", CLOUD_PUSH), 0);
	assert_int_equal(events.n_events, 2);
	assert_event(0, "refs/heads/main", A40, B40, "emmap1", "say main");
	assert_event(1, "refs/tags/v1", "", C40, "emmap1", "say v1");
	assert_int_equal(bitbucket("repo:refs_changed", SERVER_PUSH), 0);
	assert_int_equal(events.n_events, 1);
	assert_event(0, "refs/heads/main", A40, B40, "admin", "");
	assert_int_equal(bitbucket("diagnostics:ping", "{\"test\":true}"), 200);
	assert_int_equal(bitbucket("pullrequest:approved", "{}"), 200);
	assert_int_equal(bitbucket("repo:push", "{\"push\":{\"changes\":[]}}"), 200);
	assert_int_equal(bitbucket("repo:push", "{\"push\":{\"changes\":{}}}"), 400);
	assert_int_equal(bitbucket("repo:push", "{}"), 400);
	assert_int_equal(bitbucket("repo:push", "{\"push\":{\"changes\":[{\"new\":{}}]}}"), 400);
	headers.values[HEADER_HUB_SIGNATURE] = NULL; /* what it sends without a secret */
	assert_int_equal(check_with("bitbucket", SECRET, CLOUD_PUSH, false), 401);
}

static void test_too_many_refs(void **state)
{
	char *body = malloc(64 * 1024);
	size_t used = (size_t)sprintf(body, "{\"changes\":[");

	for (int i = 0; i <= DELIVERY_EVENTS_MAX; i++)
		used += (size_t)sprintf(
			body + used, "%s{\"ref\":{\"id\":\"refs/tags/%d\"},\"toHash\":\"" B40 "\"}",
			i ? "," : "", i);
	strcpy(body + used, "]}");
	assert_int_equal(bitbucket("repo:refs_changed", body), 400);
	assert_non_null(strstr(answer.text, "more than 32 refs"));
	free(body);
}

/* ---- Standard Webhooks ---- */

#define STANDARD_PUSH                                                                              \
	"{\"type\":\"push\",\"data\":{\"ref\":\"refs/heads/main\",\"after\":\"" B40                \
	"\",\"title\":\"Hi\"}}"

static void test_standard(void **state)
{
	headers = HEADERS_INIT;
	sign_standard("msg_1", "1700000100", STANDARD_PUSH);
	assert_int_equal(check_with("standard", WHSEC, STANDARD_PUSH, false), 0);
	assert_string_equal(events.delivery_id, "msg_1");
	assert_event(0, "refs/heads/main", "", B40, "", "Hi");
	headers.values[HEADER_WEBHOOK_ID] = "msg_2"; /* the id is signed */
	assert_int_equal(check_with("standard", WHSEC, STANDARD_PUSH, false), 401);
	headers.values[HEADER_WEBHOOK_ID] = NULL;
	assert_int_equal(check_with("standard", WHSEC, STANDARD_PUSH, false), 401);
	sign_standard("msg_1", "1700000301", STANDARD_PUSH);
	assert_int_equal(check_with("standard", WHSEC, STANDARD_PUSH, false), 401);
	sign_standard("msg_1", "1700000000", "{\"type\":\"ping\"}");
	assert_int_equal(check_with("standard", WHSEC, "{\"type\":\"ping\"}", false), 200);
	sign_standard("msg_1", "1700000000", "{\"type\":7}");
	assert_int_equal(check_with("standard", WHSEC, "{\"type\":7}", false), 200);
}

/* ---- all of them ---- */

/* The digest is that of the signed bytes, and is set only where the id is not signed. */
static void test_digests(void **state)
{
	static const char space[] = "payload=%20" GITEA_PUSH, more[] = "y=1&payload=" GITEA_PUSH;
	struct body_digest first;

	assert_int_equal(github("push", GITHUB_PUSH("refs/heads/main", B40, GITHUB_HEAD)), 0);
	first = events.digest;
	assert_true(first.known);
	headers.values[HEADER_GITHUB_DELIVERY] = "another";
	assert_int_equal(check_with("github", SECRET,
				    GITHUB_PUSH("refs/heads/main", B40, GITHUB_HEAD), false),
			 0);
	assert_memory_equal(&events.digest, &first, sizeof(first));
	assert_int_equal(github("push", GITHUB_PUSH("refs/heads/main", C40, GITHUB_HEAD)), 0);
	assert_memory_not_equal(&events.digest, &first, sizeof(first));
	/* Gitea signs the JSON, so a form around it may be anything */
	headers = HEADERS_INIT;
	headers.values[HEADER_GITEA_EVENT] = "push";
	headers.values[HEADER_GITEA_DELIVERY] = "d";
	headers.values[HEADER_GITEA_SIGNATURE] = hex_of("", GITEA_PUSH);
	assert_int_equal(check_with("gitea", SECRET, GITEA_PUSH, false), 0);
	first = events.digest;
	assert_true(first.known);
	assert_int_equal(check_with("gitea", SECRET, more, true), 0);
	assert_memory_equal(&events.digest, &first, sizeof(first));
	headers.values[HEADER_GITEA_SIGNATURE] = hex_of("", space + strlen("payload=%20") - 1);
	assert_int_equal(check_with("gitea", SECRET, space, true), 401);
	/* a plain token signs neither id nor time */
	headers = HEADERS_INIT;
	headers.values[HEADER_GITLAB_EVENT] = "Push Hook";
	headers.values[HEADER_IDEMPOTENCY_KEY] = "k";
	headers.values[HEADER_GITLAB_TOKEN] = SECRET;
	assert_int_equal(check_with("gitlab", SECRET,
				    GITHUB_PUSH("refs/heads/main", B40, GITHUB_HEAD), false),
			 0);
	assert_true(events.digest.known);
	/* Standard Webhooks signs both */
	headers = HEADERS_INIT;
	sign_standard("msg_1", "1700000100", STANDARD_PUSH);
	assert_int_equal(check_with("standard", WHSEC, STANDARD_PUSH, false), 0);
	assert_false(events.digest.known);
}

static void test_table(void **state)
{
	static const char *const names[] = {"github",  "gitlab",    "gitea",
					    "forgejo", "bitbucket", "standard"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_non_null(forge_find(names[i]));
		assert_non_null(strstr(forge_names(), names[i]));
	}
	assert_null(forge_find("GitHub"));
	assert_null(forge_find(""));
	headers = HEADERS_INIT;
	assert_int_equal(check_with("cvs", SECRET, "{}", false), 501);
}

/* Texts that people read: one line, no control characters, cut between characters. */
static void test_texts(void **state)
{
	struct error error = ERROR_INIT;
	char title[2 * TITLE_MAX + 1];

	events = (struct events){.n_events = 0};
	assert_int_equal(
		event_add(&events, "refs/heads/a", NULL, B40, "a\tb\033c", "one\r\ntwo", &error),
		0);
	assert_event(0, "refs/heads/a", "", B40, "a b c", "one");
	/* invisible characters are kept here: programs that show a text make them visible */
	assert_int_equal(
		event_add(&events, "refs/heads/b", NULL, B40, "a\u202eb", "fix \u200bit", &error),
		0);
	assert_event(1, "refs/heads/b", "", B40, "a\u202eb", "fix \u200bit");
	events.n_events = 1;
	memset(title, 'x', sizeof(title));
	memcpy(title + TITLE_MAX - 1, "\u20ac", 3); /* does not fit any more */
	title[sizeof(title) - 1] = '\0';
	assert_int_equal(event_add(&events, "refs/heads/a", "zz", B40, NULL, title, &error), 0);
	assert_int_equal(strlen(events.events[1].title), TITLE_MAX - 1);
	assert_string_equal(events.events[1].before, "");
}

static int setup(void **state)
{
	payload_init();
	return signature_init();
}

/* The providers of the configuration are the forges that are implemented, and no others. */
static void test_providers(void **state)
{
	size_t n = 0, n_names = 1;
	const char *name;

	for (; (name = provider_name((unsigned)n)); n++) {
		assert_true(provider_known(name));
		assert_non_null(forge_find(name));
		assert_string_equal(forge_find(name)->name, name);
		assert_non_null(strstr(PROVIDERS_TEXT, name));
	}
	for (const char *comma = forge_names(); (comma = strchr(comma, ',')); comma++)
		n_names++;
	assert_int_equal(n, n_names);
	assert_false(provider_known("sourcehut"));
	assert_false(provider_known(""));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_github),	      cmocka_unit_test(test_gitlab_token),
		cmocka_unit_test(test_gitlab_signed), cmocka_unit_test(test_gitea),
		cmocka_unit_test(test_forgejo),	      cmocka_unit_test(test_bitbucket),
		cmocka_unit_test(test_too_many_refs), cmocka_unit_test(test_standard),
		cmocka_unit_test(test_digests),	      cmocka_unit_test(test_table),
		cmocka_unit_test(test_texts),	      cmocka_unit_test(test_providers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
