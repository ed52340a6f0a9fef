/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"
#include "webhook/signature.h"

#include <string.h>

/*
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * The old X-Hub-Signature (SHA-1) is sent beside this one and never looked at.
 */
#define GITHUB_SIGNATURE_PREFIX "sha256="

static int github_verify(const struct delivery *delivery, struct answer *answer)
{
	const char *signature = delivery->headers->values[HEADER_HUB_SIGNATURE_256];
	struct signature_key key = {delivery->hook->secret, delivery->hook->secret_size};
	size_t prefix = strlen(GITHUB_SIGNATURE_PREFIX);

	if (!signature) {
		answer_error(answer, 401,
			     "header X-Hub-Signature-256 is missing; set the secret of project %s "
			     "in the webhook's settings",
			     delivery->hook->project);
		return 401;
	}
	if (strncmp(signature, GITHUB_SIGNATURE_PREFIX, prefix) != 0 ||
	    !signature_hex_valid(key, delivery->body, delivery->body_size, signature + prefix)) {
		answer_error(answer, 401,
			     "X-Hub-Signature-256 does not match; the webhook's secret and that of "
			     "project %s must be the same",
			     delivery->hook->project);
		return 401;
	}
	return 0;
}

static const struct push_paths github_push = {
	.ref = "ref",
	.before = "before",
	.after = "after",
	.title = "head_commit.message",
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
	.event_header = HEADER_GITHUB_EVENT,
	.delivery_headers = {HEADER_GITHUB_DELIVERY, HEADER_NUM},
	.verify = github_verify,
	.events = github_events,
	.extract = github_extract,
};
