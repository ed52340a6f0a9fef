/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_H
#define DAEMON_STEP_H

/*
 * DOC: Steps
 *
 * A step here is one attempt: the order of the scheduler, its sandbox, and its log. The
 * table has all steps from the order until the scheduler acknowledges the result:
 *
 *   queued    accepted; one sandbox is begun per turn of the loop, so that a
 *             burst of orders does not delay messages
 *   starting  what the sandbox needs of the host is there; its inner part is being built by
 *             another thread, a few steps at a time
 *   running   the sandbox runs, or is being taken down (daemon/supervise.h)
 *   draining  the sandbox is gone, its last output is being written to the disk;
 *             after five seconds the rest is given up
 *   ended     reported; kept until the scheduler has committed the result
 *
 * A step is never reported twice with different results, and an order number
 * runs at most once in the life of a runbookd. A failure is not returned to the caller; it
 * is the reported result of the step.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/limits.h"
#include "common/step.h"
#include "sandbox/sandbox.h"

#include <stddef.h>
#include <stdint.h>

#define STEPS_MAX 1024		/* queued and running */
#define STEPS_LAUNCHERS 2	/* threads that build sandboxes */
#define STEPS_RECORDS_MAX 65536 /* with ended ones that are not acknowledged */

struct daemon;
struct sandbox_ops;
struct step_table;

/** struct step_order - STEP_START, after its fields were checked */
struct step_order {
	uint64_t order;
	uint64_t run;
	uint64_t attempt;
	char project[PROJECT_NAME_MAX + 1];
	char slug[STEP_SLUG_MAX + 1];
	char name[STEP_NAME_MAX + 1];
	char commit[COMMIT_HEX_MAX + 1]; /* may be "" for a workspace */
	char view[COMMIT_HEX_MAX + 1];	 /* of references, laid over the commit's tree; "": none */
	enum step_objects objects;
	char image[IMAGE_NAME_MAX + 1]; /* "host", or a name for people: .layers are used */
	char *layers;			/* @n_layers strings of IMAGE_ID_SIZE; malloc'ed */
	size_t n_layers;
	char *workdir; /* malloc'ed; NULL: the workspace */
	uint32_t uid, gid;
	bool tty;
	enum step_network network;
	uint64_t memory, pids, cpu_milli, disk;
	struct sandbox_io io;
	uint64_t timeout_msec, grace_msec;
	int payload_fd;
	int mask_fd; /* its secrets, for the mask of its log (common/step_mask.h); -1: none */
};

/** step_order_clear() - close and free what @order owns */
void step_order_clear(struct step_order *order);

/**
 * steps_new() - an empty table
 * @host: prepared by sandboxes_prepare(); not owned
 *
 * Repairs the logs and removes the directories of steps that did not end properly, unless
 * .ledger of @daemon says that they go on. Return: 0; -errno with @error.
 */
int steps_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	      struct step_table **ret_table, struct error *error);
/** steps_free() - when no step runs any more. NULL is fine. Return: NULL. */
struct step_table *steps_free(struct step_table *table);

/**
 * steps_start() - accept @order; its progress is reported by STEP_STARTED and STEP_EXITED
 * @order:   its contents are taken over
 * @refusal: NULL, or why it must not run: it is reported as errored then
 *
 * An order number that is in the table is ignored; one that ran and was acknowledged is
 * reported as errored. Return: 0; -errno when the channel of the scheduler must be closed.
 */
int steps_start(struct step_table *table, struct step_order *order, const char *refusal);
/**
 * steps_cancel() - terminate a step; an unknown or ended order is ignored
 * @why: STEP_RESULT_CANCELLED or STEP_RESULT_TIMEOUT
 */
void steps_cancel(struct step_table *table, uint64_t order, enum step_result why);
/** steps_acknowledge() - the scheduler has committed the result: forget the step */
void steps_acknowledge(struct step_table *table, uint64_t order);

/** steps_resend() - report all steps that are not acknowledged to a new scheduler */
void steps_resend(struct step_table *table);
/** steps_relisten() - send the steps' sockets to a new cacher */
void steps_relisten(struct step_table *table);
/** steps_stop() - terminate every step and refuse new ones; a second call kills them */
void steps_stop(struct step_table *table);
/** steps_hold() - begin no queued step while @hold: a successor is about to take over */
void steps_hold(struct step_table *table, bool hold);
/** steps_starting() - how many sandboxes are being built: a successor cannot take them over */
size_t steps_starting(const struct step_table *table);
/** steps_running() - how many are queued, running or draining; steps_unacknowledged() - ended */
size_t steps_running(const struct step_table *table);
size_t steps_unacknowledged(const struct step_table *table);

#endif
