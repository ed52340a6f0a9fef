/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_KEEP_H
#define DAEMON_STEP_KEEP_H

/*
 * DOC: State of a step that outlives this process
 *
 * Of each step its entry in the ledger is written, with its phase, and a bag with all of
 * its open descriptors. step.c calls these functions in the order of enum ledger_phase, each
 * before the change happens that it announces: a successor that reads the note repeats what
 * may be missing. Without a ledger (tests of parts) they do nothing. A bag that cannot be
 * stored is logged: the step goes on, and is lost at the next restart.
 */

#include "daemon/step_setup.h"
#include "daemon/step_table.h"

/**
 * enum step_bag_fd - kinds of descriptors in a bag
 *
 * Bags of other versions have these numbers, too: none of them is ever used again.
 */
enum step_bag_fd {
	STEP_BAG_LOG = 0,
	STEP_BAG_INDEX = 1,
	STEP_BAG_STDOUT = 2,
	STEP_BAG_STDERR = 3,
	STEP_BAG_CACHER = 4,
	STEP_BAG_FDS, /* the kinds above are indexes of .fds of struct step_bag */
	STEP_BAG_MASK = 64,
	STEP_BAG_SANDBOX = 65, /* several, in the order of struct sandbox_kept */
};

/** struct step_bag - the contents of a bag; a member that is taken out is set to -1 or NULL */
struct step_bag {
	char *layers; /* @n_layers ids of IMAGE_ID_SIZE, malloc'ed */
	size_t n_layers;
	int fds[STEP_BAG_FDS];
	int mask_fd; /* its secrets; -1: none */
	struct sandbox_kept sandbox;
};

/** step_keep_name() - the name of a step's bag in the fd store. @out: FD_STORE_NAME_MAX bytes. */
void step_keep_name(uint64_t order, char *out);

/** step_keep_host_name() - the name in the fd store of descriptor @index, enum sandbox_host_fd */
const char *step_keep_host_name(size_t index);

/** step_keep_begin() - LEDGER_BEGUN: the order is used up. Return: 0 or -ENOSPC. */
int step_keep_begin(struct step *step);
/** step_keep_running() - LEDGER_RUNNING, and the bag; @setup still has all descriptors */
void step_keep_running(struct step *step, const struct step_setup *setup);
/** step_keep_ending() - note cause and end of the grace from .supervised, before the signal */
void step_keep_ending(struct step *step);
/** step_keep_outcome() - LEDGER_COLLECTED, with facts.outcome and facts.setup_error */
void step_keep_outcome(struct step *step);
/** step_keep_finished() - LEDGER_FINISHED: its sandbox is gone */
void step_keep_finished(struct step *step);
/** step_keep_ended() - LEDGER_ENDED, with the report; the bag is dropped */
void step_keep_ended(struct step *step);
/** step_keep_forget() - free the entry, because the result is acknowledged */
void step_keep_forget(struct step *step);

/** step_bag_make() - pack all open descriptors of @step. Return: descriptor or -errno. */
int step_bag_make(const struct step *step, const struct step_setup *setup);
/**
 * step_bag_open() - read the bag that step_bag_make() of any version made
 * @ret_bag: descriptors are copies; to be closed with step_bag_close()
 *
 * Return: 0; with @error -ENOENT when @store has no bag for @order, -EBADMSG and others of
 * fields_unpack() when it cannot be read; another -errno.
 */
int step_bag_open(const struct fd_store *store, uint64_t order, struct step_bag *ret_bag,
		  struct error *error);
/** step_bag_close() - close and free all members that were not taken out */
void step_bag_close(struct step_bag *bag);

#endif
