/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

/*
 * DOC: The ledger
 *
 * The ledger is what a successor of this process must know of its steps. It is shared
 * memory that the fd store keeps: the instance id, by which the scheduler recognises its
 * claims; which orders were begun; and an entry of some pages for each step that is not
 * acknowledged. kill -9 leaves it as it was at the last instruction. It does not survive
 * a boot, and neither do the steps.
 *
 * Every change leaves either the old or the new state for a reader, at whatever
 * instruction the process is killed: values are written first, then ledger_phase_set().
 *
 * Each member is a field with a tag (daemon/kept_fields.c), by which a successor of
 * another version reads it into a ledger of its own. A new member needs its line there.
 */

#include "common/error.h"
#include "common/limits.h"
#include "daemon/log_pump.h"
#include "daemon/step_report.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_STEPS_MAX 65536
#define LEDGER_ORDERS (1U << 20) /* of the highest number down; all lower ones count as begun */
#define LEDGER_INSTANCE_SIZE 33

enum ledger_phase {
	LEDGER_FREE = 0,
	LEDGER_BEGUN,	  /* its sandbox is being built; the order is never begun again */
	LEDGER_RUNNING,	  /* its fd bundle is in the fd store */
	LEDGER_COLLECTED, /* .outcome is set; the sandbox may exist still or not */
	LEDGER_FINISHED,  /* the sandbox is gone; output is still being written */
	LEDGER_ENDED,	  /* .report is set; the scheduler has not acknowledged it */
	LEDGER_PHASE_NUM,
};

/** struct ledger_step - one step; members below a phase's name are set from that phase on */
struct ledger_step {
	uint32_t phase;
	/* BEGUN */
	uint32_t ended_by_us, cause, stopping;
	uint64_t order, run, attempt;
	char project[PROJECT_NAME_MAX + 1];
	char slug[STEP_SLUG_MAX + 1];
	char name[STEP_NAME_MAX + 1];
	uint64_t timeout_msec, grace_msec;
	/* RUNNING */
	uint64_t started_usec, ended_usec; /* wall clock */
	uint64_t deadline_usec;		   /* monotonic: of the timeout or the grace; 0: none */
	struct log_kept log;
	/* COLLECTED */
	struct sandbox_outcome outcome;
	char setup_error[256];
	/* ENDED */
	struct log_result log_result;
	struct step_report report;
};

struct ledger;

/**
 * ledger_new() - an empty ledger, or the one of a predecessor
 * @fd:       memory of a predecessor, taken over; -1: none
 * @instance: instance id of an empty one
 *
 * The ledger of another version is read field by field into a new one: see
 * ledger_converted(). Return: 0; with @error -EBADMSG if @fd is not a ledger, -ENOTSUP,
 * -ERANGE or -ENOSPC when this version cannot go on with it; another -errno.
 */
int ledger_new(int fd, const char *instance, struct ledger **ret_ledger, struct error *error);
/** ledger_free() - unmap and close it; the fd store has a copy. NULL is fine. Return: NULL. */
struct ledger *ledger_free(struct ledger *ledger);
/** ledger_fd() - the descriptor of the memory, owned by @ledger */
int ledger_fd(const struct ledger *ledger);
/** ledger_converted() - is it new memory, which must replace that of another version? */
bool ledger_converted(const struct ledger *ledger);
/** ledger_instance() - the instance id, owned by @ledger */
const char *ledger_instance(const struct ledger *ledger);

/**
 * ledger_step_new() - a free entry, zeroed except for .log.records
 *
 * Return: NULL when LEDGER_STEPS_MAX are in use.
 */
struct ledger_step *ledger_step_new(struct ledger *ledger);
/** ledger_step_free() - make the entry of an acknowledged step free. NULL is fine. */
void ledger_step_free(struct ledger *ledger, struct ledger_step *step);
/** ledger_step_next() - the first entry in use behind @step (NULL: of all). Return: or NULL. */
struct ledger_step *ledger_step_next(const struct ledger *ledger, const struct ledger_step *step);
/** ledger_phase_set() - to be called after all members of @phase were written */
void ledger_phase_set(struct ledger_step *step, enum ledger_phase phase);

/** ledger_order_note() - note that @order is begun */
void ledger_order_note(struct ledger *ledger, uint64_t order);
/** ledger_order_known() - was @order ever begun, by this instance in any of its processes? */
bool ledger_order_known(const struct ledger *ledger, uint64_t order);

#endif
