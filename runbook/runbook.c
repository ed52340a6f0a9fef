/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/runbook.h"

#include "runbook/memory.h"
#include "runbook/report.h"
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>

/* The defaults of the top level */
static void root_defaults(struct runbook *runbook)
{
	runbook->concurrency_limit = 1;
	runbook->on[RUNBOOK_EVENT_PUSH].given = true;
	runbook->on[RUNBOOK_EVENT_PULL_REQUEST].given = true;
	runbook->on[RUNBOOK_EVENT_MANUAL].given = true;
}

/* Turns the tree into a draft. Return: 0, also with findings; -ENOMEM. */
static int document_read(struct draft *draft, const struct document *document)
{
	const struct node *root = document->root;
	struct runbook_finding *finding;
	int r;

	if (!root || (root->kind == NODE_NULL && root->length == 0)) {
		finding = findings_add(draft->findings, (struct runbook_place){1, 1}, NULL,
				       "the file is empty");
		finding_fix(finding,
			    "write at least one step: steps: [{name: hello, command: echo hi}]");
		return 0;
	}
	if (root->kind != NODE_MAP) {
		report_type(draft, "a runbook", "a map", "\"steps:\" and a list of steps", root,
			    NULL);
		return 0;
	}
	root_defaults(draft->runbook);
	r = schema_read_map(draft, SCOPE_ROOT, root, NULL, draft->runbook);
	if (r < 0)
		return r;
	draft->runbook->env = TAKE_PTR(draft->defaults.env);
	draft->runbook->n_env = draft->defaults.n_env;
	draft->defaults.n_env = 0;
	r = steps_merge_defaults(draft);
	if (r < 0)
		return r;
	steps_check_totals(draft);
	return 0;
}

/* Everything after the syntax; the tree is no longer needed when it returns. */
static int document_check(const struct document *document, struct draft *draft)
{
	int r = document_read(draft, document);

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

	draft.keys = schema_keys(&draft.n_keys);
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
