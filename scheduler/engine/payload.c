/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of an order: command line and environment of a step. */
#include "scheduler/engine/payload.h"

#include "common/cleanup.h"
#include "common/step_mask.h"
#include "common/step_payload.h"
#include "common/step_user.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/step_identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's limit of one argument or one environment string (MAX_ARG_STRLEN). */
#define ARGUMENT_BYTES_MAX (128 * KIB)
#define SHELL_WORDS_MAX 128

/*
 * Runs bash where the image has it, else sh. Only the image knows, so the test runs inside, in the
 * one shell that every image has.
 */
static char shell_chooser[] =
	"if command -v bash >/dev/null 2>&1; then exec bash -eo pipefail -c \"$1\"; fi; "
	"exec sh -e -c \"$1\"";

void step_container_id(const struct step *step, char *out, size_t size)
{
	(void)snprintf(out, size, "%s-%" PRIu64 "-%s-%" PRIu64, step->run->row.project,
		       step->run->row.id, step->run->runbook->steps[step->index].slug,
		       step->attempt);
}

struct env_list {
	char **strings; /* "NAME=value", malloc'ed except the last n_borrowed */
	size_t n, n_borrowed, room;
};

static void env_list_free(struct env_list *list)
{
	for (size_t i = 0; i + list->n_borrowed < list->n; i++)
		free(list->strings[i]);
	free(list->strings);
}
#define cleanup_env_list __attribute__((cleanup(env_list_free)))

static int env_append(struct env_list *list, const char *name, const char *value)
{
	if (asprintf(&list->strings[list->n], "%s=%s", name, value) < 0) {
		list->strings[list->n] = NULL;
		return -ENOMEM;
	}
	list->n++;
	return 0;
}

/* A later map overrides an earlier one. At most 1,000 names each, once a step: no index needed. */
static int env_append_map(struct env_list *list, const struct runbook_env *env, size_t n_env)
{
	size_t n_before = list->n;
	int r;

	for (size_t i = 0; i < n_env; i++) {
		size_t length = strlen(env[i].name);
		size_t j = 0;

		while (j < n_before && (strncmp(list->strings[j], env[i].name, length) != 0 ||
					list->strings[j][length] != '='))
			j++;
		r = env_append(list, env[i].name, env[i].value);
		if (r < 0)
			return r;
		if (j < n_before) {
			list->n--;
			free(list->strings[j]);
			list->strings[j] = list->strings[list->n];
			list->strings[list->n] = NULL;
		}
	}
	return 0;
}

#define CACHER_DIRECTORY "/run/runbookd/bin"

/* The environment of the image; its PATH gets the directory of our own programs. */
static int env_append_image(struct env_list *list, const struct image_record *image)
{
	for (size_t i = 0; i < image->n_env; i++) {
		const char *equals = strchr(image->env[i], '=');
		cleanup_free char *name = strndup(image->env[i], (size_t)(equals - image->env[i]));
		cleanup_free char *path = NULL;
		struct runbook_env entry = {name, (char *)equals + 1};
		int r;

		if (!name)
			return -ENOMEM;
		if (strcmp(name, "PATH") == 0) {
			if (asprintf(&path, "%s:" CACHER_DIRECTORY, equals + 1) < 0)
				return -ENOMEM;
			entry.value = path;
		}
		r = env_append_map(list, &entry, 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Defaults, overridden by the image, by variables about the run, and by the runbook. */
static int env_build(const struct step *step, const struct image_record *image, size_t n_secrets,
		     struct env_list *list)
{
	const struct run *run = step->run;
	const struct runbook_step *text = &run->runbook->steps[step->index];
	char id[24], attempt[24], container[512], name[STEP_USER_MAX], pull_request[24];
	const char *user = step_user_name(step, image, name, sizeof(name));
	const struct runbook_env defaults[] = {
		{(char *)"PATH", (char *)"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
					 "/bin:" CACHER_DIRECTORY},
		{(char *)"LANG", (char *)"C.UTF-8"},
		{(char *)"TERM", text->tty ? (char *)"xterm" : (char *)"dumb"},
		{(char *)"USER", (char *)user},
	};
	const struct runbook_env own[] = {
		{(char *)"CI", (char *)"true"},
		{(char *)"RUNBOOK_PROJECT", (char *)run->row.project},
		{(char *)"RUNBOOK_RUN", id},
		{(char *)"RUNBOOK_STEP", text->name},
		{(char *)"RUNBOOK_ATTEMPT", attempt},
		{(char *)"RUNBOOK_REF", (char *)run->row.ref},
		{(char *)"RUNBOOK_COMMIT", (char *)run->row.commit},
		{(char *)"RUNBOOK_CONTAINER", container},
		{(char *)"HOME", (char *)"/workspace"},
		{(char *)"RUNBOOK_EVENT", (char *)run->row.event},
		{(char *)"RUNBOOK_PULL_REQUEST", pull_request},
		{(char *)"RUNBOOK_BASE_REF", (char *)run->row.base_ref},
	};
	size_t n_defaults = ARRAY_SIZE(defaults) - !user; /* an id without a name has no $USER */
	size_t n_own = ARRAY_SIZE(own) - (run->row.pull_request ? 0 : 2);
	int r;

	(void)snprintf(pull_request, sizeof(pull_request), "%" PRIu64, run->row.pull_request);
	(void)snprintf(id, sizeof(id), "%" PRIu64, run->row.id);
	(void)snprintf(attempt, sizeof(attempt), "%" PRIu64, step->attempt);
	step_container_id(step, container, sizeof(container));
	list->room = ARRAY_SIZE(defaults) + ARRAY_SIZE(own) + (image ? image->n_env : 0) +
		     run->runbook->n_env + text->n_env + n_secrets + 2;
	list->strings = calloc(list->room, sizeof(*list->strings));
	if (!list->strings)
		return -ENOMEM;
	r = env_append_map(list, defaults, n_defaults);
	if (r == 0 && image)
		r = env_append_image(list, image);
	if (r == 0)
		r = env_append_map(list, own, n_own);
	if (r == 0)
		r = env_append_map(list, run->runbook->env, run->runbook->n_env);
	if (r == 0)
		r = env_append_map(list, text->env, text->n_env);
	return r;
}

/* A secret overrides nothing: it would not be obvious which of the two values a step has. */
static int env_append_secrets(struct env_list *list, const struct secret_set *secrets,
			      const char *env, struct error *error)
{
	char names[REASON_MAX / 2] = "";
	size_t n_before = list->n, used = 0;

	for (size_t i = 0; i < secrets->n; i++) {
		const struct secret_value *value = &secrets->items[i];
		size_t j = 0;

		/* compare with the '=' included */
		while (j < n_before &&
		       strncmp(list->strings[j], value->string, value->n_name + 1) != 0)
			j++;
		if (j < n_before && used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.*s",
						 used ? ", " : "", (int)value->n_name,
						 value->string);
		list->strings[list->n++] = value->string;
		list->n_borrowed++;
	}
	if (used == 0)
		return 0;
	return error_set(error, EEXIST,
			 "secrets of ENV \"%.*s\" have the names of variables that the step has "
			 "already: %s. Rename one of each: a secret overrides nothing",
			 SECRET_ENV_MAX, env, names);
}

/* Explain to the step why secrets are missing. */
static int env_append_withheld(struct env_list *list, const char *why)
{
	const struct runbook_env entry = {(char *)"RUNBOOK_SECRETS_WITHHELD", (char *)why};

	return why ? env_append_map(list, &entry, 1) : 0;
}

/* A sealed memfd with only the values. Return: fd or -errno. */
static int mask_fd_new(const struct secret_set *secrets)
{
	cleanup_free struct step_mask_value *values = calloc(secrets->n, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < secrets->n; i++) {
		const struct secret_value *value = &secrets->items[i];

		values[i].data = value->string + value->n_name + 1;
		values[i].size = value->length - value->n_name - 1;
	}
	return step_mask_new(values, secrets->n);
}

/* `shell: bash -x` is split at blanks; the command follows as -c COMMAND. */
static int shell_split(char *shell, char **argv, char *command, struct error *error)
{
	char *rest = NULL;
	size_t n = 0;

	for (char *word = strtok_r(shell, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (n == SHELL_WORDS_MAX)
			return error_set(error, E2BIG, "shell has more than %d words",
					 SHELL_WORDS_MAX);
		argv[n++] = word;
	}
	if (n == 0)
		return error_set(error, EINVAL, "shell is empty: name one, e.g. \"sh -e\"");
	argv[n++] = (char *)"-c";
	argv[n++] = command;
	argv[n] = NULL;
	return 0;
}

int step_payload_fd(const struct step *step, const struct image_record *image, int *ret_mask_fd,
		    struct error *error)
{
	const struct runbook_step *text = &step->run->runbook->steps[step->index];
	cleanup_secret_set struct secret_set secrets = {0};
	cleanup_env_list struct env_list env = {0};
	cleanup_close int mask_fd = -1;
	cleanup_free char *shell = NULL;
	char *argv[SHELL_WORDS_MAX + 3] = {(char *)"bash", (char *)"-eo", (char *)"pipefail",
					   (char *)"-c",   text->command, NULL};
	int r;

	if (strlen(text->command) >= ARGUMENT_BYTES_MAX)
		return error_set(error, E2BIG,
				 "the command is longer than %llu bytes, which Linux allows at "
				 "most: put it into a script file",
				 ARGUMENT_BYTES_MAX - 1);
	if (text->shell) {
		shell = strdup(text->shell);
		if (!shell)
			return error_errno(error, ENOMEM, "command");
		r = shell_split(shell, argv, text->command, error);
		if (r < 0)
			return r;
	} else if (image) {
		argv[0] = (char *)"/bin/sh";
		argv[1] = (char *)"-c";
		argv[2] = shell_chooser;
		argv[3] = (char *)"sh";
		argv[4] = text->command;
	}
	r = step_secrets_get(step, &secrets, error);
	if (r < 0)
		return r;
	r = env_build(step, image, secrets.n, &env);
	if (r == 0)
		r = env_append_withheld(&env, step_secrets_withheld(step));
	if (r < 0)
		return error_errno(error, -r, "environment");
	r = env_append_secrets(&env, &secrets, step_secrets_env(step), error);
	if (r < 0)
		return r;
	if (secrets.n > 0) {
		mask_fd = mask_fd_new(&secrets);
		if (mask_fd < 0)
			return error_errno(error, -mask_fd, "secrets");
	}
	r = step_payload_new(argv, env.strings);
	if (r < 0)
		return error_errno(error, -r, "command and environment");
	if (mask_fd >= 0)
		*ret_mask_fd = TAKE_FD(mask_fd);
	return r;
}
