/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_EXECUTOR_H
#define SCHEDULER_EXECUTOR_H

/*
 * DOC: Executors
 *
 * An executor is a host that runs steps: the runbookd there, what it has to hand
 * out, and what is known of the steps that run on it. The first one is home: its
 * runbookd started this scheduler and makes the channels to the other processes,
 * and when it hangs up, the scheduler ends. What is
 * installed today has this one only, but nothing except executor_home() relies on that.
 *
 * Which executor an attempt runs on is its item's host. Of an attempt that was
 * claimed in an earlier life of the scheduler, only the instance of the runbookd
 * is known: it counts as home's until an executor speaks of it, or of its instance.
 */

#include "common/limits.h"
#include "common/list.h"
#include "scheduler/model/peer.h"
#include "scheduler/queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTANCE_ID_MAX 128

struct scheduler;
struct step;

/** struct executor_config - what CONFIG_SCHEDULER and CONFIG_HOST say about the host itself */
struct executor_config {
	char instance[INSTANCE_ID_MAX + 1]; /* of the runbookd that runs there; "": none so far */
	uint64_t max_running;		    /* 0: as many as there are processors */
	uint64_t cpu_milli, memory;
	uint64_t step_cpu_milli, step_memory; /* limits of steps that declare none, 0: none */
	char labels[HOST_LABELS_MAX + 1];     /* words separated by blanks */
};

struct executor {
	struct peer peer;	/* its runbookd */
	struct list_node node;	/* of scheduler->executors */
	struct queue_host host; /* its capacity and labels, and what of it is in use */
	struct executor_config config;
	char space[REASON_MAX + 1]; /* why nothing starts, from HOST_SPACE; "": it does */
	bool synced;		    /* its runbookd has reported what it runs */
	bool stopping;		    /* its runbookd is about to end: it would run nothing more */
	/* it did so before there was a configuration: settled at CONFIG_END; "" otherwise */
	char synced_instance[INSTANCE_ID_MAX + 1];
};

/**
 * executor_add() - another host that may run steps, once its peer is open and speaks
 * @name: what sentences call it; static
 *
 * Return: NULL without memory. It is released by executors_free().
 */
struct executor *executor_add(struct scheduler *scheduler, const char *name);
/** executors_free() - release all of them; their channels are closed, nothing runs any more */
void executors_free(struct scheduler *scheduler);
/** executor_home() - the one whose runbookd started this process */
struct executor *executor_home(const struct scheduler *scheduler);
/** executor_of() - the one whose runbookd is @peer (ROLE_DAEMON) */
struct executor *executor_of(struct peer *peer);
/** step_executor() - where @step runs. Return: NULL: it does not. */
struct executor *step_executor(const struct step *step);

/** executor_configure() - a configuration is in force: what it hands out, and its labels */
void executor_configure(struct executor *executor, const struct executor_config *config);
/** executor_configured() - did its runbookd send one? */
bool executor_configured(const struct executor *executor);
/** executor_opened() - there is a new channel to its runbookd */
void executor_opened(struct executor *executor);
/** executor_admit() - start steps there, or none while something keeps it from that */
void executor_admit(struct executor *executor);
/** executor_set_space() - why nothing may start there, "": it may; at most REASON_MAX bytes */
void executor_set_space(struct executor *executor, const char *why);
/** executor_set_stopping() - its runbookd starts nothing more; executor_sync() ends that */
void executor_set_stopping(struct executor *executor);
/**
 * executor_step() - the running step of @order, of which @executor speaks
 *
 * Return: NULL when there is none or it runs on another executor.
 */
struct step *executor_step(struct executor *executor, uint64_t order);

/** executors_ready() - is there one that takes orders? */
bool executors_ready(const struct scheduler *scheduler);
/**
 * executors_wait_reason() - why none of them takes orders
 *
 * Return: the same for machines, static; NULL and @out "" when one of them does.
 */
const char *executors_wait_reason(const struct scheduler *scheduler, char *out, size_t size);

#endif
