/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_POLICY_H
#define IMAGES_POLICY_H

/*
 * DOC: The administrator's policy for images
 *
 * The lists and credentials of [Images] in runbookd.conf(5) and of the projects, as runbookd sends
 * them. Credentials are wiped when the policy is cleared. policy_auth() is the only function that
 * decides which credentials a pull may use.
 */

#include "common/image_rule.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct project_auth - contents of a project's AuthFile= */
struct project_auth {
	char project[PROJECT_NAME_MAX + 1];
	char *data;
	size_t size;
};

struct policy {
	char rules[IMAGE_NUM_RULES][IMAGE_RULES_MAX][IMAGE_NAME_MAX + 1];
	size_t n_rules[IMAGE_NUM_RULES];
	char *auth; /* contents of AuthFile= in [Images]; NULL: none */
	size_t auth_size;
	struct project_auth *projects;
	size_t n_projects;
};

/** policy_clear() - wipe the credentials, and leave an empty policy */
void policy_clear(struct policy *policy);
/** policy_rule_add() - add @value to list @rule. Return: 0; -EBADMSG: bad rule or value; -E2BIG. */
int policy_rule_add(struct policy *policy, uint64_t rule, const char *value);
/** policy_auth_add() - add credentials; @project NULL: those of [Images]. Return: 0 or -ENOMEM. */
int policy_auth_add(struct policy *policy, const char *project, const void *data, size_t size);

/** policy_fork_may() - does a pattern of Fork= match @name, "debian:12" or "r.example/x:1"? */
bool policy_fork_may(const struct policy *policy, const char *name);
/**
 * policy_auth() - the credentials for a pull of @reference
 * @project:  the project whose run needs the image; NULL: a person uses runbookctl
 * @fork:     the run belongs to a fork, which gets no credentials
 * @ret_data: valid as long as @policy; NULL: none
 *
 * Return: SCOPE_ANYONE, SCOPE_EVERYONE or the project's name (see scope.h), valid as @ret_data.
 */
const char *policy_auth(const struct policy *policy, const char *project, bool fork,
			const char *reference, const char **ret_data, size_t *ret_size);

#endif
