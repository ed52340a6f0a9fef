/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_TABLE_H
#define DAEMON_STEP_TABLE_H

/*
 * DOC: Insides of the steps, for the step*.c files and adoption only
 *
 * step_table.c   the table: by order number, in the order of arrival, and the queue
 * steps.c        the interface of daemon/step.h: what concerns all steps
 * step.c         the life of one step
 * step_setup.c   files, pipes and paths of a step (daemon/step_setup.h)
 * step_report.c  result and reason (daemon/step_report.h)
 * step_notify.c  log lines and messages about a step
 * step_persist.c, step_fd_bundle.c  its state for a successor (daemon/step_persist.h)
 */

#include "common/list.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/message.h"
#include "daemon/ledger.h"
#include "daemon/log_register.h"
#include "daemon/mask.h"
#include "daemon/order_set.h"
#include "daemon/step.h"
#include "daemon/step_report.h"
#include "daemon/supervise.h"

#define STEP_BUCKETS 1024

/** enum step_phase - described in daemon/step.h; changed by step_phase_set() alone */
enum step_phase {
	STEP_QUEUED,
	STEP_STARTING,
	STEP_RUNNING,
	STEP_DRAINING,
	STEP_ENDED,
};

struct step {
	struct step_table *table;
	struct list_node node; /* of table->steps */
	struct step *bucket_next;
	struct list_node queued; /* of table->queue */
	struct step_order order;
	char container[CONTAINER_ID_MAX];
	enum step_phase phase;
	int cacher_fd;
	struct step_starting *starting; /* of step.c, while it is starting */
	bool cancelled;			/* while it is starting, for .cancel_cause */
	enum step_result cancel_cause;
	struct supervised supervised;
	struct loop_timer drain_timer; /* the end of the draining */
	struct log_sink *sink;	       /* NULL when the log is complete */
	int log_slot;		       /* in the register of open logs, or -1 */
	struct step_facts facts;
	size_t n_layers_used;		   /* of order.layers, locked with layers_use() */
	uint64_t started_usec, ended_usec; /* wall clock */
	struct step_report report;
	struct ledger_step *kept; /* its entry in the ledger; NULL: not begun, or no ledger */
};

struct step_table {
	struct daemon *daemon;
	struct supervisor supervisor;
	struct log_pump *pump;
	struct log_register *logs;
	struct log_quota *quota; /* NULL: without memory, logs are limited one by one only */
	struct mask_cache masks;
	struct order_set known;
	struct step *buckets[STEP_BUCKETS];
	struct list steps; /* all, oldest first */
	struct list queue; /* those in STEP_QUEUED, to be started in this order */
	struct loop_timer start_timer;
	size_t n_running; /* with those that are queued, starting or draining */
	size_t n_starting;
	size_t n_ended;
	bool stopping; /* new orders are refused */
	bool killing;  /* steps_stop() was called again */
	bool holding;  /* queued steps are not begun: a successor is about to take over */
};

/** step_find() - the step of @order; NULL if it is not in @table */
struct step *step_find(const struct step_table *table, uint64_t order);
/** step_link() - put @step into @table, as the youngest */
void step_link(struct step_table *table, struct step *step);
/** step_unlink() - take @step out of @table; the caller owns it then */
void step_unlink(struct step_table *table, struct step *step);
/** step_free() - free a step that is not in the table. Return: NULL. */
struct step *step_free(struct step *step);

/** step_phase_set() - change the phase, as the table in step_table.c allows it */
void step_phase_set(struct step *step, enum step_phase to);

/** step_prepare() - initialise @step, which is zeroed; the contents of @order are taken over */
void step_prepare(struct step *step, struct step_table *table, const struct step_order *order);

/** step_begin() - begin to build its sandbox, then start its command; a failure is reported */
void step_begin(struct step *step);
/** step_refuse() - end and report a step that has not run */
void step_refuse(struct step *step, enum step_result result, const char *reason);
/** step_terminate() - terminate a step for @cause, unless it is being terminated already */
void step_terminate(struct step *step, enum step_result cause);
/** step_listen() - send its socket to the cacher, if that is ready */
void step_listen(const struct step *step);

/**
 * step_resume() - go on with a step of a predecessor
 * @fds: indexed by enum step_fd_kind; set to -1 as they are taken over
 *
 * Its sandbox is held (supervise_adopt()), or was gone already; its phase follows from the
 * phase of its ledger entry. Return: 0; -errno with @error, the sandbox is killed then.
 */
int step_resume(struct step *step, int *fds, struct error *error);
/** step_end_lost() - end a step that could not be adopted; the caller has set .report */
void step_end_lost(struct step *step);

/** steps_start_next() - begin queued steps, from the loop, as far as they may be begun now */
void steps_start_next(struct step_table *table);

/** step_queue_pop() - take out the first queued step; NULL when there is none */
struct step *step_queue_pop(struct step_table *table);
/** step_queue_push() - append @step to the queue */
void step_queue_push(struct step_table *table, struct step *step);
/** step_queue_remove() - take @step out of the queue */
void step_queue_remove(struct step *step);

/** step_log() - log one line about a step, with fields for journald. @message_id: or NULL. */
void step_log(const struct step *step, enum log_level level, const char *message_id,
	      const char *text);
/** step_send() - send @message (taken over) to the scheduler, if that has greeted */
void step_send(struct step_table *table, struct message *message);
/** step_send_started() - send STEP_STARTED of @step */
void step_send_started(const struct step *step);
/** step_send_exited() - send STEP_EXITED of @step */
void step_send_exited(const struct step *step);

#endif
