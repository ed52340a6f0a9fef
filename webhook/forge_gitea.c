/* SPDX-License-Identifier: Apache-2.0 */
/* Gitea and Forgejo: the same payload under different header names. */
#include "common/cleanup.h"
#include "webhook/forge.h"
#include "webhook/payload.h"

/*
 * https://docs.gitea.com/usage/webhooks. The signature of a form body covers the
 * JSON text inside of it, not the form. Decoding the form is the only thing that is
 * done before the signature is checked.
 */
static int gitea_check(const struct delivery *delivery, enum header header,
		       struct body_digest *digest, struct answer *answer)
{
	struct delivery inner = *delivery;
	struct error error = ERROR_INIT;
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (!delivery->form)
		return signature_check_hex(delivery, header, "", digest, answer);
	if (payload_from_form(delivery->body, delivery->body_size, &text, &size, &error) < 0)
		return signature_refused(delivery, header, answer);
	inner.body = text;
	inner.body_size = size;
	return signature_check_hex(&inner, header, "", digest, answer);
}

static int gitea_verify(const struct delivery *delivery, struct body_digest *digest,
			struct answer *answer)
{
	return gitea_check(delivery, HEADER_GITEA_SIGNATURE, digest, answer);
}

static int forgejo_verify(const struct delivery *delivery, struct body_digest *digest,
			  struct answer *answer)
{
	/* Forgejo before 7 sends only Gitea's names */
	enum header header = delivery->headers->values[HEADER_FORGEJO_SIGNATURE]
				     ? HEADER_FORGEJO_SIGNATURE
				     : HEADER_GITEA_SIGNATURE;

	return gitea_check(delivery, header, digest, answer);
}

static const struct push_paths gitea_push = {
	.ref = "ref",
	.before = "before",
	.after = "after",
	.title = {"head_commit.message", "commits.0.message", NULL},
	.tag_commit = "head_commit.id",
	.actor = {"pusher.login", "pusher.username", "sender.login", NULL},
};

static int gitea_extract(const json_t *root, struct events *events, struct error *error)
{
	return push_extract(root, &gitea_push, events, error);
}

/* https://docs.gitea.com/usage/webhooks; "synchronized" is GitHub's "synchronize" */
static const struct pull_paths gitea_pull = {
	.action = "action",
	.actions = {"opened", "reopened", "synchronized", NULL},
	.number = "number",
	.ref = {"refs/pull/", "/head"},
	.head = "pull_request.head.sha",
	.base = "pull_request.base.ref",
	.base_head = "pull_request.base.sha",
	.head_repository = "pull_request.head.repo_id",
	.base_repository = "pull_request.base.repo_id",
	.title = "pull_request.title",
	.actor = {"sender.login", "sender.username", "pull_request.user.login", NULL},
};

static int gitea_pull_request(const json_t *root, struct events *events, struct error *error)
{
	return pull_extract(root, &gitea_pull, events, error);
}

static const struct forge_event gitea_events[] = {
	{"push", EVENT_PUSH},
	{"pull_request", EVENT_PULL_REQUEST},
	{NULL},
};

const struct forge forge_gitea = {
	.name = "gitea",
	.event_headers = {HEADER_GITEA_EVENT, HEADER_NUM},
	.delivery_headers = {HEADER_GITEA_DELIVERY, HEADER_NUM},
	.verify = gitea_verify,
	.events = gitea_events,
	.extract = gitea_extract,
	.pull_request = gitea_pull_request,
};

const struct forge forge_forgejo = {
	.name = "forgejo",
	.event_headers = {HEADER_FORGEJO_EVENT, HEADER_GITEA_EVENT, HEADER_NUM},
	.delivery_headers = {HEADER_FORGEJO_DELIVERY, HEADER_GITEA_DELIVERY, HEADER_NUM},
	.verify = forgejo_verify,
	.events = gitea_events,
	.extract = gitea_extract,
	.pull_request = gitea_pull_request,
};
