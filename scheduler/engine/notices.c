/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/notices.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "common/runbook_name.h"
#include "common/zones.h"
#include "scheduler/engine/secrets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINDING_LINE_MAX 1400

/* All findings, one a line, for people. */
static char *findings_text(const struct runbook_finding *findings, size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	char line[FINDING_LINE_MAX];

	if (!stream)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		runbook_finding_format(line, sizeof(line), RUNBOOK_FILE, &findings[i]);
		(void)fprintf(stream, "%s%s", i ? "\n" : "", line);
	}
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void notices_keep(struct run *run, const struct runbook_finding *findings, size_t n)
{
	cleanup_free char *text = findings_text(findings, n);

	run->row.findings = text;
	store_run_set_tree(run->scheduler->store, &run->row);
	run->row.findings = NULL;
}

static void note_any(const struct store_secret *secret, void *userdata)
{
	*(bool *)userdata = true;
	(void)secret;
}

/* Return: true as well when the store cannot be read: then there is nothing to report. */
static bool has_secrets(const struct run *run, const char *env)
{
	bool any = false;
	int r = store_secrets_each(run->scheduler->store, run->row.project, env, note_any, &any);

	return r < 0 || any;
}

/* environments that are checked; further ones are ignored */
#define ENVS_MAX 100

struct seen_envs {
	const char *list[ENVS_MAX];
	size_t n;
};

/* Whether this is the first step with @env. Return: false as well when the list is full. */
static bool is_new(struct seen_envs *seen, const char *env)
{
	for (size_t i = 0; i < seen->n; i++) {
		if (strcmp(seen->list[i], env) == 0)
			return false;
	}
	if (seen->n == ENVS_MAX)
		return false;
	seen->list[seen->n++] = env;
	return true;
}

static void report_env(const struct run *run, size_t step, const char *env,
		       struct runbook_finding *finding)
{
	char shown[SECRET_ENV_MAX + 1];

	text_escape(shown, sizeof(shown), env);
	*finding = (struct runbook_finding){.place = run->runbook->steps[step].place};
	(void)snprintf(finding->path, sizeof(finding->path), "steps[%zu]", step);
	(void)snprintf(finding->message, sizeof(finding->message),
		       "ENV is \"%s\", and project %s has no secret of that ENV", shown,
		       run->row.project);
	(void)snprintf(finding->fix, sizeof(finding->fix),
		       "runbookctl secret set %s \"%.100s\" NAME", run->row.project, shown);
}

static size_t look_for_secrets(const struct run *run, struct runbook_finding *findings, size_t room)
{
	struct seen_envs seen = {.n = 0};
	size_t n = 0;

	for (size_t i = 0; i < run->n_steps && n < room; i++) {
		const char *env = step_secrets_env(&run->steps[i]);

		/* in a run that gets no secrets in any case, missing ones do not matter */
		if (env && !step_secrets_withheld(&run->steps[i]) && is_new(&seen, env) &&
		    !has_secrets(run, env))
			report_env(run, i, env, &findings[n++]);
	}
	return n;
}

void notices_look(struct run *run)
{
	static const struct runbook_zones zones = {.known = zone_known, .names = zone_names};
	cleanup_free struct runbook_finding *findings =
		calloc(2 * (size_t)RUNBOOK_FINDINGS_MAX, sizeof(*findings));
	size_t n;

	if (!findings) {
		log_warning("%s run %" PRIu64
			    ": out of memory: its runbook is not checked for findings",
			    run->row.project, run->row.id);
		return;
	}
	n = runbook_check_zones(run->runbook, &zones, findings);
	n += look_for_secrets(run, findings + n, RUNBOOK_FINDINGS_MAX);
	if (n > 0)
		notices_keep(run, findings, n);
}
