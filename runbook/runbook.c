/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/runbook.h"

#include "runbook/schema.h"

#include <errno.h>
#include <stdlib.h>

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

/* Everything after the syntax; the tree is no longer needed when it returns. */
static int document_check(const struct document *document, struct draft *draft)
{
	int r = schema_read(draft, document);

	if (r < 0)
		return r;
	return graph_check(draft);
}

int runbook_parse(const char *data, size_t size, struct runbook **ret_runbook,
		  struct runbook_finding *findings, size_t *ret_n)
{
	struct findings collector = {.list = findings};
	struct draft draft = {.findings = &collector};
	struct document document;
	int r;

	*ret_n = 0;
	draft.runbook = calloc(1, sizeof(*draft.runbook));
	if (!draft.runbook)
		return -ENOMEM;
	r = document_parse(size ? data : "", size, /* an empty file may have no bytes at all */
			   &collector, &document);
	if (r == 0)
		r = document_check(&document, &draft);
	draft_done(&draft);
	document_free(&document);
	if (r == 0 && collector.n > 0)
		r = -EINVAL;
	if (r < 0) {
		draft.runbook = runbook_free(draft.runbook);
		findings_finish(&collector);
		*ret_n = collector.n;
		return r;
	}
	*ret_runbook = draft.runbook;
	return 0;
}
