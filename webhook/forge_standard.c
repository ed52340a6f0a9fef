/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sender that signs by https://www.standardwebhooks.com/, with
 *
 *   {"type": "push", "data": {"ref": "refs/heads/main", "after": COMMIT,
 *    "before": COMMIT, "actor": TEXT, "title": TEXT}}
 *
 * as its body; before, actor and title may be left out. Or
 *
 *   {"type": "pull_request", "data": {"number": N, "ref": REF, "after": COMMIT,
 *    "base": BRANCH, "before": COMMIT, "fork": BOOL, "actor": TEXT, "title": TEXT}}
 *
 * where REF has the commits and before is the newest commit of BRANCH. before, actor,
 * title and "action" (what happened to the pull request) may be left out. Without fork
 * the pull request counts as one from a fork.
 */
#include "webhook/forge.h"
#include "webhook/payload.h"

static const struct push_paths standard_push = {
	.ref = "data.ref",
	.before = "data.before",
	.after = "data.after",
	.title = {"data.title", NULL},
	.actor = {"data.actor", NULL},
};

static int standard_extract(const json_t *root, struct events *events, struct error *error)
{
	return push_extract(root, &standard_push, events, error);
}

static int standard_pull_request(const json_t *root, struct events *events, struct error *error)
{
	const struct pull pull = {
		.number = pull_number(root, "data.number"),
		.base = payload_string(root, "data.base"),
		.from_fork = !json_is_false(payload_get(root, "data.fork")),
		.action = payload_string(root, "data.action"),
	};

	return pull_add(events, &pull, payload_string(root, "data.ref"),
			payload_string(root, "data.before"), payload_string(root, "data.after"),
			payload_string(root, "data.actor"), payload_string(root, "data.title"),
			error);
}

static const struct forge_event standard_events[] = {
	{"push", EVENT_PUSH},
	{"pull_request", EVENT_PULL_REQUEST},
	{"ping", EVENT_PING},
	{NULL},
};

const struct forge forge_standard = {
	.name = "standard",
	.event_headers = {HEADER_NUM},
	.event_path = "type",
	.delivery_headers = {HEADER_WEBHOOK_ID, HEADER_NUM},
	.verify = signature_check_standard,
	.events = standard_events,
	.extract = standard_extract,
	.pull_request = standard_pull_request,
};
