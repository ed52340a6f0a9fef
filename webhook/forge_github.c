/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"

/*
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * The old X-Hub-Signature (SHA-1) is sent beside this one and never looked at.
 */
static int github_verify(const struct delivery *delivery, struct answer *answer)
{
	return signature_check_hex(delivery, HEADER_HUB_SIGNATURE_256, "sha256=", answer);
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

static const struct forge_event github_events[] = {
	{"push", EVENT_PUSH},
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
};
