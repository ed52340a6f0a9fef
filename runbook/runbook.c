/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/runbook.h"

#include "runbook/memory.h"
#include "runbook/schema.h"

#include <errno.h>
#include <stdlib.h>

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
