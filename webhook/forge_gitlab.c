/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"
#include "webhook/signature.h"

#include <string.h>

/*
 * https://docs.gitlab.com/user/project/integrations/webhooks/ has two methods: a
 * signing token (the webhook-* headers of Standard Webhooks), and the older secret
 * token, which is the secret itself in a header. A secret that has the form of a
 * signing token is never accepted in the older header: it would be enough to have
 * read one request to forge others.
 */
#define SIGNING_TOKEN_PREFIX "whsec_"

static bool is_signing_token(const struct hook *hook)
{
	size_t size = strlen(SIGNING_TOKEN_PREFIX);

	return hook->secret_size >= size && memcmp(hook->secret, SIGNING_TOKEN_PREFIX, size) == 0;
}

static int gitlab_verify(const struct delivery *delivery, struct body_digest *digest,
			 struct answer *answer)
{
	struct signature_key key = {delivery->hook->secret, delivery->hook->secret_size};
	const char *token = delivery->headers->values[HEADER_GITLAB_TOKEN];

	if (delivery->headers->values[HEADER_WEBHOOK_SIGNATURE] || is_signing_token(delivery->hook))
		return signature_check_standard(delivery, digest, answer);
	if (!token || !signature_token_valid(key, token))
		return signature_refused(delivery, HEADER_GITLAB_TOKEN, answer);
	body_digest_set(digest, delivery);
	return 0;
}

static const struct push_paths gitlab_push = {
	.ref = "ref",
	.before = "before",
	.after = "after",
	.title = {"commits.-1.message", "message", NULL},
	.tag_commit = "checkout_sha",
	.actor = {"user_username", "user_name", NULL},
};

static int gitlab_extract(const json_t *root, struct events *events, struct error *error)
{
	return push_extract(root, &gitlab_push, events, error);
}

/*
 * "update" is any change; it has an oldrev only if the commits changed.
 * https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events
 */
static const struct pull_paths gitlab_pull = {
	.action = "object_attributes.action",
	.actions = {"open", "reopen", NULL},
	.quiet = "update",
	.moved = "object_attributes.oldrev",
	.number = "object_attributes.iid",
	.ref = {"refs/merge-requests/", "/head"},
	.head = "object_attributes.last_commit.id",
	.base = "object_attributes.target_branch",
	.head_repository = "object_attributes.source_project_id",
	.base_repository = "object_attributes.target_project_id",
	.title = "object_attributes.title",
	.actor = {"user.username", "user.name", NULL},
};

static int gitlab_pull_request(const json_t *root, struct events *events, struct error *error)
{
	return pull_extract(root, &gitlab_pull, events, error);
}

static const struct forge_event gitlab_events[] = {
	{"Push Hook", EVENT_PUSH},
	{"Tag Push Hook", EVENT_PUSH},
	{"Merge Request Hook", EVENT_PULL_REQUEST},
	{NULL},
};

const struct forge forge_gitlab = {
	.name = "gitlab",
	.event_headers = {HEADER_GITLAB_EVENT, HEADER_NUM},
	/* only the first is the same in all retries; older releases send only the second */
	.delivery_headers = {HEADER_IDEMPOTENCY_KEY, HEADER_GITLAB_EVENT_UUID, HEADER_NUM},
	.verify = gitlab_verify,
	.events = gitlab_events,
	.extract = gitlab_extract,
	.pull_request = gitlab_pull_request,
};
