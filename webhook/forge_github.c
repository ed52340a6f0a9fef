/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"

/*
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * GitHub also sends the old X-Hub-Signature (SHA-1), which is ignored.
 */
static int github_verify(const struct delivery *delivery, struct body_digest *digest,
			 struct answer *answer)
{
	return signature_check_hex(delivery, HEADER_HUB_SIGNATURE_256, "sha256=", digest, answer);
}

static const struct push_paths github_push = {
	.ref = "ref",
	.before = "before",
	.after = "after",
	.title = {"head_commit.message", NULL},
	.tag_commit = "head_commit.id",
	.actor = {"pusher.name", "sender.login", NULL},
};

static int github_extract(const json_t *root, struct events *events, struct error *error)
{
	return push_extract(root, &github_push, events, error);
}

/* https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request */
static const struct pull_paths github_pull = {
	.action = "action",
	.actions = {"opened", "reopened", "synchronize", NULL},
	.number = "number",
	.ref = {"refs/pull/", "/head"},
	.head = "pull_request.head.sha",
	.base = "pull_request.base.ref",
	.base_head = "pull_request.base.sha",
	.head_repository = "pull_request.head.repo.id",
	.base_repository = "pull_request.base.repo.id",
	.title = "pull_request.title",
	.actor = {"sender.login", "pull_request.user.login", NULL},
};

static int github_pull_request(const json_t *root, struct events *events, struct error *error)
{
	return pull_extract(root, &github_pull, events, error);
}

static const struct forge_event github_events[] = {
	{"push", EVENT_PUSH},
	{"pull_request", EVENT_PULL_REQUEST},
	{"ping", EVENT_PING},
	{NULL},
};

const struct forge forge_github = {
	.name = "github",
	.event_headers = {HEADER_GITHUB_EVENT, HEADER_NUM},
	.delivery_headers = {HEADER_GITHUB_DELIVERY, HEADER_NUM},
	.verify = github_verify,
	.events = github_events,
	.extract = github_extract,
	.pull_request = github_pull_request,
};
