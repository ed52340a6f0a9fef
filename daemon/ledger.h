/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

/*
 * DOC: The ledger
 *
 * What a successor of this process must know, in shared memory that the fd store
 * keeps: who we are (the instance id, by which the scheduler knows its claims), which
 * orders were begun, and a page or three for each step that is not acknowledged. A
 * kill -9 leaves it as it was at the last instruction; it does not survive a boot,
 * and neither do the steps.
 *
 * Every change is made so that whoever reads it afterwards finds the old or the new
 * state: values first, then ledger_phase_set().
 *
 * Each member is a field with a tag (daemon/kept_fields.c): a successor of another
 * version reads it by that, and makes a ledger of its own from it. A new
 * member needs its line there.
 */

#include "common/error.h"
#include "common/limits.h"
#include "daemon/log_pump.h"
#include "daemon/step_report.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_STEPS_MAX 65536
#define LEDGER_ORDERS (1U << 20) /* older ones than the last million were begun, all */
#define LEDGER_INSTANCE_SIZE 33

enum ledger_phase {
	LEDGER_FREE = 0,
	LEDGER_BEGUN,	  /* from here on it is never begun again */
	LEDGER_RUNNING,	  /* its bag is in the fd store */
	LEDGER_COLLECTED, /* the outcome is written down, the sandbox may be gone or not */
	LEDGER_FINISHED,  /* the sandbox is gone, output is on its way */
	LEDGER_ENDED,	  /* everything is known; waits to be acknowledged */
	LEDGER_PHASE_NUM,
};

/** struct ledger_step - one step; what is set in which phase follows from enum ledger_phase */
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
	uint64_t deadline_usec;		   /* monotonic: timeout, or end of the grace; 0: none */
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
 * ledger_new() - a new one, or the one behind @fd
 * @fd:       a predecessor's, taken over; -1: none
 * @instance: for a new one
 *
 * One that another version left is read field by field into a new one: see
 * ledger_converted(). Return: 0; with @error -EBADMSG for what is not a ledger, -ENOTSUP,
 * -ERANGE or -ENOSPC when this version cannot go on with it; another -errno.
 */
int ledger_new(int fd, const char *instance, struct ledger **ret_ledger, struct error *error);
/** ledger_free() - NULL is fine. Return: NULL. */
struct ledger *ledger_free(struct ledger *ledger);
/** ledger_fd() - owned by @ledger */
int ledger_fd(const struct ledger *ledger);
/** ledger_converted() - it is new, from one of another version: it must take that one's place */
bool ledger_converted(const struct ledger *ledger);
/** ledger_instance() - who we are */
const char *ledger_instance(const struct ledger *ledger);

/** ledger_step_new() - an entry that is free, zeroed; NULL when there is none */
struct ledger_step *ledger_step_new(struct ledger *ledger);
/** ledger_step_free() - its result is acknowledged. NULL is fine. */
void ledger_step_free(struct ledger *ledger, struct ledger_step *step);
/** ledger_step_next() - the first entry behind @step (NULL: of all) that is not free, or NULL */
struct ledger_step *ledger_step_next(const struct ledger *ledger, const struct ledger_step *step);
/** ledger_phase_set() - after everything that belongs to it was written */
void ledger_phase_set(struct ledger_step *step, enum ledger_phase phase);

/** ledger_order_note() - @order is begun now */
void ledger_order_note(struct ledger *ledger, uint64_t order);
/** ledger_order_known() - was it ever begun? */
bool ledger_order_known(const struct ledger *ledger, uint64_t order);

#endif
