/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_POLICY_H
#define IMAGES_POLICY_H

/* What the administrator says of images: lists, and credentials, of [Images] and of projects. */

#include "common/image_rule.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct project_auth - AuthFile= of a project */
struct project_auth {
	char project[PROJECT_NAME_MAX + 1];
	char *data;
	size_t size;
};

struct policy {
	char rules[IMAGE_NUM_RULES][IMAGE_RULES_MAX][IMAGE_NAME_MAX + 1];
	size_t n_rules[IMAGE_NUM_RULES];
	char *auth; /* of [Images] */
	size_t auth_size;
	struct project_auth *projects;
	size_t n_projects;
};

/** policy_clear() - wipes credentials; an empty one is left */
void policy_clear(struct policy *policy);
/** policy_rule_add() - Return: 0, -EBADMSG for an unknown rule or an unfit value, -E2BIG */
int policy_rule_add(struct policy *policy, uint64_t rule, const char *value);
/** policy_auth_add() - @project: NULL for that of [Images]. Return: 0 or -ENOMEM. */
int policy_auth_add(struct policy *policy, const char *project, const void *data, size_t size);

/** policy_fork_may() - does a pattern of Fork= match @name, "debian:12" or "r.example/x:1"? */
bool policy_fork_may(const struct policy *policy, const char *name);
/**
 * policy_auth() - which credentials a pull of @reference is done with
 * @project:  whose run wants it; NULL: a person, by runbookctl
 * @fork:     for a run of a fork: none
 * @ret_data: valid as long as @policy, NULL for none
 *
 * Return: SCOPE_ANYONE, SCOPE_EVERYONE or the project's name (of scope.h), as long as @policy.
 */
const char *policy_auth(const struct policy *policy, const char *project, bool fork,
			const char *reference, const char **ret_data, size_t *ret_size);

#endif
