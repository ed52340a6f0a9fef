/* SPDX-License-Identifier: Apache-2.0 */

/* Reads all state of a predecessor once, before anything depends on it. */

#include "daemon/adopt.h"

#include "common/cleanup.h"
#include "daemon/fd_store.h"
#include "daemon/ledger.h"
#include "daemon/log_journal.h"
#include "daemon/step_persist.h"

#include <errno.h>
#include <fcntl.h>

static int fd_bundle_check(const struct fd_store *store, const struct ledger_step *step,
			   struct error *error)
{
	struct step_fd_bundle bundle;
	int r = step_fd_bundle_open(store, step->order, &bundle, error);

	/* no fd bundle yet: runbookd ended while it started the step */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (step->phase != LEDGER_FINISHED)
		r = sandbox_kept_check(&bundle.sandbox, error);
	step_fd_bundle_close(&bundle);
	return r;
}

int adopt_check(const struct fd_store *store, struct error *error)
{
	int fd = fd_store_newest(store, ADOPT_LEDGER_NAME);
	const struct ledger_step *step = NULL;
	struct ledger *ledger;
	int r;

	if (fd < 0)
		return 0;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_errno(error, errno, "cannot look at the ledger of steps");
	r = ledger_new(fd, NULL, &ledger, error);
	if (r < 0)
		return r;
	while (r == 0 && (step = ledger_step_next(ledger, step)) != NULL) {
		if (step->phase != LEDGER_BEGUN && step->phase != LEDGER_ENDED)
			r = fd_bundle_check(store, step, error);
	}
	(void)ledger_free(ledger);
	return r == 0 ? log_journal_check(store, error) : r;
}
