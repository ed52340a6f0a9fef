/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bitbucket Cloud (repo:push) and Data Center (repo:refs_changed): one signature,
 * two payloads, and several refs in one delivery.
 * https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
 */
#include "common/names.h"
#include "webhook/forge.h"
#include "webhook/payload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int bitbucket_verify(const struct delivery *delivery, struct body_digest *digest,
			    struct answer *answer)
{
	return signature_check_hex(delivery, HEADER_HUB_SIGNATURE, "sha256=", digest, answer);
}

/* {"new": {"type": "branch", "name": …, "target": {"hash": …}}, "old": …}; new is null if gone */
static int cloud_change(const json_t *change, const char *actor, struct events *events,
			struct error *error)
{
	const char *type = payload_string(change, "new.type");
	const char *name = payload_string(change, "new.name");
	char ref[REF_NAME_MAX + 1];
	bool tag;
	int n;

	if (!json_is_object(payload_get(change, "new")))
		return 0;
	if (!type || !name)
		return error_set(error, EBADMSG, "a change of the payload names no branch or tag");
	tag = strcmp(type, "tag") == 0 || strcmp(type, "annotated_tag") == 0;
	if (!tag && strcmp(type, "branch") != 0)
		return 0;
	n = snprintf(ref, sizeof(ref), "refs/%s/%s", tag ? "tags" : "heads", name);
	if (n < 0 || (size_t)n >= sizeof(ref))
		return error_set(error, EBADMSG, "the payload has no valid \"ref\"");
	return event_add(events, ref, payload_string(change, "old.target.hash"),
			 payload_string(change, "new.target.hash"), actor,
			 payload_string(change, "new.target.message"), error);
}

/* {"ref": {"id": "refs/heads/main"}, "fromHash": …, "toHash": …} */
static int server_change(const json_t *change, const char *actor, struct events *events,
			 struct error *error)
{
	return event_add(events, payload_string(change, "ref.id"),
			 payload_string(change, "fromHash"), payload_string(change, "toHash"),
			 actor, NULL, error);
}

static int bitbucket_extract(const json_t *root, struct events *events, struct error *error)
{
	const json_t *cloud = payload_get(root, "push.changes");
	const json_t *changes = cloud ? cloud : payload_get(root, "changes");
	const char *actor = payload_string(root, cloud ? "actor.nickname" : "actor.name");

	if (!json_is_array(changes))
		return error_set(error, EBADMSG, "the payload has no list of changes");
	if (!actor)
		actor = payload_string(root, cloud ? "actor.display_name" : "actor.displayName");
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);
		int r = cloud ? cloud_change(change, actor, events, error)
			      : server_change(change, actor, events, error);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Cloud keeps no ref of a pull request's commits, and sends only the first digits
 * of their ids. So the run gets the commit that the branch names when it is
 * fetched. The branch of a fork is not in this repository at all.
 */
static int cloud_pull(const json_t *root, const json_t *request, struct events *events,
		      struct error *error)
{
	const char *branch = payload_string(request, "source.branch.name");
	const char *hash = payload_string(request, "source.commit.hash");
	const char *actor = payload_string(root, "actor.nickname");
	const struct pull pull = {
		.number = pull_number(request, "id"),
		.base = payload_string(request, "destination.branch.name"),
		.from_fork = pull_from_fork(request, "source.repository.uuid",
					    "destination.repository.uuid"),
	};
	char ref[REF_NAME_MAX + 1];
	int n = snprintf(ref, sizeof(ref), "refs/heads/%s", branch ? branch : "");

	if (pull.from_fork)
		return error_set(error, ENOMSG,
				 "a pull request from a fork: Bitbucket Cloud keeps its commits "
				 "out of this repository");
	if (!branch || n < 0 || (size_t)n >= sizeof(ref))
		return error_set(error, EBADMSG, "the payload names no valid source branch");
	return pull_add(events, &pull, ref, NULL, hash && commit_valid(hash) ? hash : "", actor,
			payload_string(request, "title"), error);
}

static const struct pull_paths server_pull = {
	.number = "pullRequest.id",
	.ref = {"refs/pull-requests/", "/from"},
	.head = "pullRequest.fromRef.latestCommit",
	.base = "pullRequest.toRef.id",
	.base_head = "pullRequest.toRef.latestCommit",
	.head_repository = "pullRequest.fromRef.repository.id",
	.base_repository = "pullRequest.toRef.repository.id",
	.title = "pullRequest.title",
	.actor = {"actor.name", "actor.displayName", NULL},
};

static int bitbucket_pull_request(const json_t *root, struct events *events, struct error *error)
{
	const json_t *cloud = payload_get(root, "pullrequest");

	return cloud ? cloud_pull(root, cloud, events, error)
		     : pull_extract(root, &server_pull, events, error);
}

static const struct forge_event bitbucket_events[] = {
	{"repo:push", EVENT_PUSH},
	{"repo:refs_changed", EVENT_PUSH},
	{"pullrequest:created", EVENT_PULL_REQUEST},
	{"pullrequest:updated", EVENT_PULL_REQUEST},
	{"pr:opened", EVENT_PULL_REQUEST},
	{"pr:from_ref_updated", EVENT_PULL_REQUEST},
	{"diagnostics:ping", EVENT_PING},
	{NULL},
};

const struct forge forge_bitbucket = {
	.name = "bitbucket",
	.event_headers = {HEADER_EVENT_KEY, HEADER_NUM},
	.delivery_headers = {HEADER_REQUEST_UUID, HEADER_REQUEST_ID, HEADER_NUM},
	.verify = bitbucket_verify,
	.events = bitbucket_events,
	.extract = bitbucket_extract,
	.pull_request = bitbucket_pull_request,
};
