/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/memory.h"

#include <stdlib.h>
#include <string.h>

char *stream_finish(FILE *out, char **text)
{
	bool failed = ferror(out) != 0;

	if (fclose(out) != 0 || failed) {
		free(*text);
		*text = NULL;
	}
	return *text;
}

void texts_done(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void env_done(struct runbook_env *env, size_t n_env)
{
	for (size_t i = 0; i < n_env; i++) {
		free(env[i].name);
		free(env[i].value);
	}
	free(env);
}

static void globs_done(struct runbook_globs *globs)
{
	texts_done(globs->items, globs->n_items);
}

void step_done(struct runbook_step *step)
{
	free(step->name);
	free(step->command);
	free(step->depends_on);
	env_done(step->env, step->n_env);
	free(step->image);
	free(step->shell);
	free(step->user);
	free(step->workdir);
	texts_done(step->labels, step->n_labels);
	globs_done(&step->when.branches);
	globs_done(&step->when.paths);
}

static void on_done(struct runbook *runbook)
{
	for (size_t i = 0; i < RUNBOOK_EVENT_NUM; i++) {
		globs_done(&runbook->on[i].branches);
		globs_done(&runbook->on[i].tags);
		globs_done(&runbook->on[i].paths);
	}
	for (size_t i = 0; i < runbook->n_schedules; i++) {
		free(runbook->schedules[i].cron);
		free(runbook->schedules[i].timezone);
		free(runbook->schedules[i].branch);
	}
	free(runbook->schedules);
}

struct runbook *runbook_free(struct runbook *runbook)
{
	if (!runbook)
		return NULL;
	for (size_t i = 0; i < runbook->n_steps; i++)
		step_done(&runbook->steps[i]);
	free(runbook->steps);
	for (size_t i = 0; i < runbook->n_matrices; i++)
		free(runbook->matrices[i].name);
	free(runbook->matrices);
	on_done(runbook);
	free(runbook->concurrency_group);
	free(runbook->order);
	env_done(runbook->env, runbook->n_env);
	free(runbook->name);
	free(runbook);
	return NULL;
}

void draft_done(struct draft *draft)
{
	for (size_t i = 0; draft->sources && i < draft->runbook->n_steps; i++) {
		const struct step_source *source = &draft->sources[i];

		if (source->dependencies)
			texts_done(source->dependencies, source->depends_on->n_items);
	}
	free(draft->sources);
	step_done(&draft->defaults);
}

size_t env_bytes(const struct runbook_env *env, size_t n_env)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n_env; i++)
		bytes += strlen(env[i].name) + strlen(env[i].value) + sizeof("=");
	return bytes;
}
