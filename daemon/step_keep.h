/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_KEEP_H
#define DAEMON_STEP_KEEP_H

/*
 * What of a step outlives this process: its entry of the ledger, which says how far
 * it is, and a bag with everything that is open. The functions are called in the order
 * of enum ledger_phase, each before what it announces happens. Without a
 * ledger (tests) they do nothing.
 */

#include "daemon/step_setup.h"
#include "daemon/step_table.h"

/** enum step_bag_fd - what a descriptor in a bag is; these numbers are written, none is used again */
enum step_bag_fd {
	STEP_BAG_LOG = 0,
	STEP_BAG_INDEX = 1,
	STEP_BAG_STDOUT = 2,
	STEP_BAG_STDERR = 3,
	STEP_BAG_CACHER = 4,
	STEP_BAG_FDS, /* those are in .fds of struct step_bag; from 64 on, others: */
	STEP_BAG_MASK = 64,
	STEP_BAG_SANDBOX = 65, /* in the order of struct sandbox_kept */
};

/** struct step_bag - an opened one; step_bag_close() what is left in it */
struct step_bag {
	char *layers; /* of IMAGE_ID_SIZE each, malloc'ed */
	size_t n_layers;
	int fds[STEP_BAG_FDS];
	int mask_fd; /* its secrets, -1: it has none */
	struct sandbox_kept sandbox;
};

/** step_keep_name() - of its bag in the fd store; FD_STORE_NAME_MAX bytes */
void step_keep_name(uint64_t order, char *out);

/** step_keep_host_name() - in the fd store, of a descriptor of enum sandbox_host_fd */
const char *step_keep_host_name(size_t index);

/** step_keep_begin() - it is going to be started, once. Return: 0 or -ENOSPC. */
int step_keep_begin(struct step *step);
/** step_keep_running() - it runs; @setup still has its descriptors */
void step_keep_running(struct step *step, const struct step_setup *setup);
/** step_keep_ending() - we end it: why, and when its grace is over, as .supervised has it */
void step_keep_ending(struct step *step);
/** step_keep_outcome() - facts.outcome and facts.setup_error are known */
void step_keep_outcome(struct step *step);
/** step_keep_finished() - its sandbox is gone */
void step_keep_finished(struct step *step);
/** step_keep_ended() - its report is made: the bag may go */
void step_keep_ended(struct step *step);
/** step_keep_forget() - it is acknowledged */
void step_keep_forget(struct step *step);

/** step_bag_make() - pack everything of @step that is open. Return: descriptor or -errno. */
int step_bag_make(const struct step *step, const struct step_setup *setup);
/**
 * step_bag_open() - what step_bag_make() of any version packed
 *
 * Return: 0; with @error -ENOENT when there is none, -EBADMSG and others of
 * fields_unpack() for what cannot be read; another -errno.
 */
int step_bag_open(const struct fd_store *store, uint64_t order, struct step_bag *ret_bag,
		  struct error *error);
/** step_bag_close() - close and free what nobody has taken out */
void step_bag_close(struct step_bag *bag);

#endif
