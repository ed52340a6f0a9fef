/* SPDX-License-Identifier: Apache-2.0 */
#include "images/policy.h"

#include "common/cleanup.h"
#include "common/image.h"
#include "images/scope.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void wipe(char *data, size_t size)
{
	if (data)
		explicit_bzero(data, size);
	free(data);
}

void policy_clear(struct policy *policy)
{
	wipe(policy->auth, policy->auth_size);
	for (size_t i = 0; i < policy->n_projects; i++)
		wipe(policy->projects[i].data, policy->projects[i].size);
	free(policy->projects);
	memset(policy, 0, sizeof(*policy));
}

int policy_rule_add(struct policy *policy, uint64_t rule, const char *value)
{
	if (rule >= IMAGE_NUM_RULES || !*value || strlen(value) > IMAGE_NAME_MAX)
		return -EBADMSG;
	if (policy->n_rules[rule] == IMAGE_RULES_MAX)
		return -E2BIG;
	(void)snprintf(policy->rules[rule][policy->n_rules[rule]++], IMAGE_NAME_MAX + 1, "%s",
		       value);
	return 0;
}

int policy_auth_add(struct policy *policy, const char *project, const void *data, size_t size)
{
	struct project_auth *grown;
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	if (!project) {
		wipe(policy->auth, policy->auth_size);
		policy->auth = copy;
		policy->auth_size = size;
		return 0;
	}
	grown = reallocarray(policy->projects, policy->n_projects + 1, sizeof(*grown));
	if (!grown) {
		wipe(copy, size);
		return -ENOMEM;
	}
	policy->projects = grown;
	grown += policy->n_projects++;
	(void)snprintf(grown->project, sizeof(grown->project), "%s", project);
	grown->data = copy;
	grown->size = size;
	return 0;
}

bool policy_fork_may(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_rules[IMAGE_RULE_FORK]; i++) {
		if (fnmatch(policy->rules[IMAGE_RULE_FORK][i], name, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

const char *policy_auth(const struct policy *policy, const char *project, bool fork,
			const char *reference, const char **ret_data, size_t *ret_size)
{
	*ret_data = NULL;
	*ret_size = 0;
	if (fork)
		return SCOPE_ANYONE;
	for (size_t i = 0; project && i < policy->n_projects; i++) {
		const struct project_auth *auth = &policy->projects[i];

		if (strcmp(auth->project, project) != 0 ||
		    !auth_covers(auth->data, auth->size, reference))
			continue;
		*ret_data = auth->data;
		*ret_size = auth->size;
		return auth->project;
	}
	if (!auth_covers(policy->auth, policy->auth_size, reference))
		return SCOPE_ANYONE;
	*ret_data = policy->auth;
	*ret_size = policy->auth_size;
	return SCOPE_EVERYONE;
}
