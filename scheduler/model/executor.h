/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_EXECUTOR_H
#define SCHEDULER_EXECUTOR_H

/*
 * DOC: Executors
 *
 * An executor is a host that runs steps: the channel to its runbookd, the resources that the
 * host offers, and what is known of the steps that run there. The first executor is home: its
 * runbookd started this scheduler and makes the channels to the other processes; when it hangs
 * up, the scheduler ends. An installation has only this one today. The queue and the claims
 * allow for more; trees, layers, logs, artifacts and the channels (descriptors on unix sockets)
 * are home's, which executor_home() marks in the code.
 *
 * The executor of an attempt is the host of its queue item. For an attempt that an earlier
 * scheduler process claimed, only the instance of the runbookd is stored. Such an attempt is
 * attributed to home until an executor reports its order or that instance.
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

/** struct executor_config - the part of CONFIG_SCHEDULER and CONFIG_HOST that describes the host */
struct executor_config {
	char instance[INSTANCE_ID_MAX + 1]; /* instance of its runbookd; "": not known yet */
	uint64_t max_running;		    /* 0: the number of processors */
	uint64_t cpu_milli, memory;
	uint64_t step_cpu_milli, step_memory; /* limits of steps that declare none, 0: none */
	char labels[HOST_LABELS_MAX + 1];     /* words separated by blanks */
};

struct executor {
	struct peer peer;	/* the channel to its runbookd */
	struct list_node node;	/* of scheduler->executors */
	struct queue_host host; /* capacity, labels and current use, for the queue */
	struct executor_config config;
	char space[REASON_MAX + 1]; /* from HOST_SPACE: why nothing starts; "": there is space */
	bool synced;		    /* its runbookd has reported which steps it runs */
	bool stopping;		    /* its runbookd is about to end and starts no more steps */
	/*
	 * the instance, if the report arrived before the first configuration: executor_sync() is
	 * called at CONFIG_END; "" otherwise
	 */
	char synced_instance[INSTANCE_ID_MAX + 1];
};

/**
 * executor_add() - add another host that may run steps once its runbookd is connected
 * @name: the host's name in sentences; must be static, it is not copied
 *
 * Return: NULL without memory. executors_free() releases it.
 */
struct executor *executor_add(struct scheduler *scheduler, const char *name);
/** executors_free() - release all executors; their channels are closed and no step runs */
void executors_free(struct scheduler *scheduler);
/** executor_home() - the executor whose runbookd started this process */
struct executor *executor_home(const struct scheduler *scheduler);
/** executor_of() - the executor whose runbookd is @peer (ROLE_DAEMON) */
struct executor *executor_of(struct peer *peer);
/** step_executor() - the executor that runs @step. Return: NULL when @step does not run. */
struct executor *step_executor(const struct step *step);

/** executor_configure() - apply a new configuration: resources and labels of the host */
void executor_configure(struct executor *executor, const struct executor_config *config);
/** executor_configured() - whether its runbookd has sent a configuration */
bool executor_configured(const struct executor *executor);
/** executor_opened() - a new channel to its runbookd is open */
void executor_opened(struct executor *executor);
/** executor_admit() - start steps there, or none while something prevents it */
void executor_admit(struct executor *executor);
/** executor_set_space() - why no step may start there, at most REASON_MAX bytes; "": steps may */
void executor_set_space(struct executor *executor, const char *why);
/** executor_set_stopping() - its runbookd starts no more steps; executor_sync() ends this state */
void executor_set_stopping(struct executor *executor);
/**
 * executor_step() - the running step of @order, for a report from @executor
 *
 * Return: NULL when there is no such step or it runs on another executor.
 */
struct step *executor_step(struct executor *executor, uint64_t order);

/** executors_ready() - whether at least one executor takes orders */
bool executors_ready(const struct scheduler *scheduler);
/**
 * executors_wait_reason() - why no executor takes orders
 * @out: a sentence for people; "" when an executor takes orders
 *
 * Return: the same as a static word for machines; NULL when an executor takes orders.
 */
const char *executors_wait_reason(const struct scheduler *scheduler, char *out, size_t size);

#endif
