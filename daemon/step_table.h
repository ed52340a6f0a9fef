/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_TABLE_H
#define DAEMON_STEP_TABLE_H

/* Insides of struct step_table, for the step*.c files only. */

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

enum step_phase {
	STEP_QUEUED,
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
	struct supervised supervised;
	struct loop_timer drain_timer; /* the end of the draining */
	struct log_sink *sink;	       /* NULL when the log is complete */
	int log_slot;		       /* in the register of open logs */
	struct step_facts facts;
	size_t n_layers_used;
	uint64_t started_usec, ended_usec; /* wall clock */
	struct step_report report;
	struct ledger_step *kept; /* what a successor sees of it; NULL: nothing yet */
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
	struct list queue; /* those that wait for their start */
	struct loop_timer start_timer;
	size_t n_running;
	size_t n_ended;
	bool stopping;
	bool holding; /* none is begun: a successor is about to come */
};

/** step_find() - NULL for an order that is not known (any more) */
struct step *step_find(const struct step_table *table, uint64_t order);
/** step_link() - put it into the table, as the youngest */
void step_link(struct step_table *table, struct step *step);
/** step_unlink() - the opposite; @step is the caller's again */
void step_unlink(struct step_table *table, struct step *step);
/** step_free() - what step_unlink() took out. Return: NULL. */
struct step *step_free(struct step *step);

/** step_prepare() - nothing of @step is there yet but its order, which it takes over */
void step_prepare(struct step *step, struct step_table *table, const struct step_order *order);

/** step_begin() - build its sandbox and start its command; if that fails, it has ended */
void step_begin(struct step *step);
/** step_refuse() - it ends without having run */
void step_refuse(struct step *step, enum step_result result, const char *reason);
/** step_terminate() - end it for @cause, unless it ends already */
void step_terminate(struct step *step, enum step_result cause);
/** step_listen() - hand its socket to the cacher, if that is there */
void step_listen(const struct step *step);

/**
 * step_resume() - go on with a step of a predecessor
 * @fds: enum step_bag_fd, taken out (-1) as they are used
 *
 * Its sandbox is held, unless it is gone; its phase is that of its ledger entry.
 * Return: 0; -errno with @error, its sandbox is ended then.
 */
int step_resume(struct step *step, int *fds, struct error *error);
/** step_end_lost() - it could not be taken over: .report says why */
void step_end_lost(struct step *step);

/** step_queue_pop() - the first that waits for its start, NULL when there is none */
struct step *step_queue_pop(struct step_table *table);
/** step_queue_push() - let it wait behind the others */
void step_queue_push(struct step_table *table, struct step *step);
/** step_queue_remove() - it is to wait no longer */
void step_queue_remove(struct step *step);

/** step_log() - one line about a step, with the fields of journald */
void step_log(const struct step *step, enum log_level level, const char *message_id,
	      const char *text);
/** step_send() - to the scheduler, if it has greeted; takes @message over */
void step_send(struct step_table *table, struct message *message);
/** step_send_started() - STEP_STARTED */
void step_send_started(const struct step *step);
/** step_send_exited() - STEP_EXITED */
void step_send_exited(const struct step *step);

#endif
