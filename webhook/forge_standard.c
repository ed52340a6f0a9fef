/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sender that signs as https://www.standardwebhooks.com/ says, with
 *
 *   {"type": "push", "data": {"ref": "refs/heads/main", "after": COMMIT,
 *    "before": COMMIT, "actor": TEXT, "title": TEXT}}
 *
 * as its body; before, actor and title may be left out.
 */
#include "webhook/forge.h"

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

static const struct forge_event standard_events[] = {
	{"push", EVENT_PUSH},
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
};
