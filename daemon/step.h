/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_H
#define DAEMON_STEP_H

/*
 * DOC: Steps
 *
 *   queued    accepted; one sandbox is built per turn of the loop, so that a
 *             burst of orders does not keep messages waiting
 *   running   the sandbox lives, or is being taken down (daemon/supervise.h)
 *   draining  the sandbox is gone, its last output is on its way to the disk;
 *             after five seconds what is missing is given up
 *   ended     reported; kept until the scheduler has committed the result
 *
 * A step is never reported twice with different results, and an order number
 * runs at most once in the daemon's life.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/limits.h"
#include "common/step.h"
#include "sandbox/sandbox.h"

#include <stddef.h>
#include <stdint.h>

#define STEPS_MAX 1024		/* queued and running */
#define STEPS_RECORDS_MAX 65536 /* with those that wait for their acknowledgement */

struct daemon;
struct sandbox_ops;
struct step_table;

/** struct step_order - what the scheduler asks for, checked */
struct step_order {
	uint64_t order;
	uint64_t run;
	uint64_t attempt;
	char project[PROJECT_NAME_MAX + 1];
	char slug[STEP_SLUG_MAX + 1];
	char name[STEP_NAME_MAX + 1];
	char commit[COMMIT_HEX_MAX + 1]; /* may be "" for a workspace */
	char view[COMMIT_HEX_MAX + 1];	 /* what is laid over the commit's tree; "": nothing */
	enum step_objects objects;
	char image[IMAGE_NAME_MAX + 1]; /* for people; what is used are the layers, or "host" */
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
	int mask_fd; /* what its log must not show, see common/step_mask.h; -1: nothing */
};

/** step_order_clear() - release what @order holds */
void step_order_clear(struct step_order *order);

/**
 * steps_new() - an empty table
 * @host: prepared by sandboxes_prepare(); not owned
 *
 * Return: 0 or -errno with @error.
 */
int steps_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	      struct step_table **ret_table, struct error *error);
/** steps_free() - when nothing runs any more. NULL is fine. Return: NULL. */
struct step_table *steps_free(struct step_table *table);

/**
 * steps_start() - accept @order; what comes of it is reported by messages
 * @refusal: NULL, or why it must not run: it is then reported as errored
 *
 * Takes over what @order holds. An order number that is known is ignored; one
 * whose result was acknowledged is answered as errored.
 * Return: 0, or -errno when the sender must be given up.
 */
int steps_start(struct step_table *table, struct step_order *order, const char *refusal);
/** steps_cancel() - end it; an unknown or ended order is ignored */
void steps_cancel(struct step_table *table, uint64_t order, enum step_result why);
/** steps_acknowledge() - its result is committed: forget it */
void steps_acknowledge(struct step_table *table, uint64_t order);

/** steps_resend() - tell a new scheduler everything that it has not acknowledged */
void steps_resend(struct step_table *table);
/** steps_relisten() - hand the steps' sockets to a new cacher */
void steps_relisten(struct step_table *table);
/** steps_stop() - cancel every step, and start none any more; called again: kill them */
void steps_stop(struct step_table *table);
/** steps_hold() - begin none any more, nor again: what runs is left to a successor */
void steps_hold(struct step_table *table, bool hold);
/** steps_running() - queued, running or draining; steps_unacknowledged() - ended, in addition */
size_t steps_running(const struct step_table *table);
size_t steps_unacknowledged(const struct step_table *table);

#endif
