/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_PERSIST_H
#define DAEMON_STEP_PERSIST_H

/*
 * DOC: State of a step that outlives this process
 *
 * Of each step its entry in the ledger is written, with its phase, and an fd bundle with all
 * of its open descriptors. step.c calls these functions in the order of enum ledger_phase,
 * each before the change happens that it announces: a successor that reads the note repeats
 * what may be missing. Without a ledger (tests of parts) they do nothing. A bundle that cannot
 * be stored is logged: the step goes on, and is lost at the next restart.
 */

#include "daemon/step_setup.h"
#include "daemon/step_table.h"

/**
 * enum step_fd_kind - kinds of descriptors in an fd bundle
 *
 * Bundles of other versions have these numbers, too: none of them is ever used again.
 */
enum step_fd_kind {
	STEP_FD_LOG = 0,
	STEP_FD_INDEX = 1,
	STEP_FD_STDOUT = 2,
	STEP_FD_STDERR = 3,
	STEP_FD_CACHER = 4,
	STEP_FD_NUM, /* the kinds above are indexes of .fds of struct step_fd_bundle */
	STEP_FD_MASK = 64,
	STEP_FD_SANDBOX = 65, /* several, in the order of struct sandbox_kept */
};

/** struct step_fd_bundle - contents of an fd bundle; members taken out are set to -1 or NULL */
struct step_fd_bundle {
	char *layers; /* @n_layers ids of IMAGE_ID_SIZE, malloc'ed */
	size_t n_layers;
	int fds[STEP_FD_NUM];
	int mask_fd; /* its secrets; -1: none */
	struct sandbox_kept sandbox;
};

/** step_fd_bundle_name() - name of a step's bundle in the fd store. @out: FD_STORE_NAME_MAX bytes. */
void step_fd_bundle_name(uint64_t order, char *out);

/** step_persist_host_name() - the name in the fd store of descriptor @index, enum sandbox_host_fd */
const char *step_persist_host_name(size_t index);

/** step_persist_host() - store what the sandbox host must hand on and the store does not have */
void step_persist_host(const struct step_table *table);

/** step_persist_begin() - LEDGER_BEGUN: the order is used up. Return: 0 or -ENOSPC. */
int step_persist_begin(struct step *step);
/** step_persist_running() - LEDGER_RUNNING, and the bundle; @setup still has all descriptors */
void step_persist_running(struct step *step, const struct step_setup *setup);
/** step_persist_ending() - note cause and end of the grace from .supervised, before the signal */
void step_persist_ending(struct step *step);
/** step_persist_outcome() - LEDGER_COLLECTED, with facts.outcome and facts.setup_error */
void step_persist_outcome(struct step *step);
/** step_persist_finished() - LEDGER_FINISHED: its sandbox is gone */
void step_persist_finished(struct step *step);
/** step_persist_ended() - LEDGER_ENDED, with the report; the bundle is dropped */
void step_persist_ended(struct step *step);
/** step_persist_forget() - free the entry, because the result is acknowledged */
void step_persist_forget(struct step *step);

/** step_fd_bundle_make() - pack all open descriptors of @step. Return: descriptor or -errno. */
int step_fd_bundle_make(const struct step *step, const struct step_setup *setup);
/**
 * step_fd_bundle_open() - read the bundle that step_fd_bundle_make() of any version made
 * @ret_bundle: descriptors are copies; to be closed with step_fd_bundle_close()
 *
 * Return: 0; with @error -ENOENT when @store has no bundle for @order, -EBADMSG and others of
 * fields_unpack() when it cannot be read; another -errno.
 */
int step_fd_bundle_open(const struct fd_store *store, uint64_t order,
			struct step_fd_bundle *ret_bundle, struct error *error);
/** step_fd_bundle_close() - close and free all members that were not taken out */
void step_fd_bundle_close(struct step_fd_bundle *bundle);

#endif
