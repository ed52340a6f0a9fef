/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_TRIGGER_H
#define WEBHOOK_TRIGGER_H

/*
 * DOC: From HTTP threads to the scheduler
 *
 * An HTTP thread suspends its connection and submits a trigger. The main thread
 * sends it to the scheduler and calls done() once: when the scheduler has committed
 * it or refused it, or did not answer in time.
 *
 * A trigger may be sent twice, because the scheduler recognizes a delivery by its id.
 * So when a scheduler dies, the triggers that it did not answer go to its successor,
 * if one connects within WEBHOOK_SCHEDULER_WAIT_SEC. Most forges do not repeat a
 * delivery by themselves, so an early 503 would lose the run.
 */

#include "common/list.h"
#include "common/loop.h"
#include "common/message.h"
#include "webhook/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_SCHEDULER_WAIT_SEC 3

/**
 * struct trigger - one delivery on its way; owned by the request
 * @project:  valid until done()
 * @provider: static string
 * @done:     called with @answer filled in, in the main thread, or in the submitting
 *            thread when the queue is closed
 */
struct trigger {
	const char *project;
	const char *provider;
	struct events events;
	void (*done)(struct trigger *trigger);
	struct answer answer;
	/* internal */
	struct list_node node; /* of the queue: submitted, then pending */
	uint64_t serial;
	uint64_t submitted_usec;
	unsigned n_runs; /* events that the scheduler has accepted */
	struct answer_run runs[DELIVERY_EVENTS_MAX];
	char url[URL_MAX + 1];
};

struct trigger_queue {
	struct loop *loop;
	struct channel channel;
	atomic_bool scheduler_up;
	/* any thread, under the lock */
	pthread_mutex_t lock;
	struct list submitted;
	bool closed;
	/* main thread: sent or waiting for a scheduler, in order of submission */
	struct list pending;
	uint64_t away_since_usec; /* begin of the time without a scheduler */
	uint64_t serial;
	int wake_fd;
	struct loop_file wake;
	struct loop_timer timer;
};

/** trigger_queue_init() - an empty queue without a scheduler. Return: 0 or -errno. */
int trigger_queue_init(struct trigger_queue *queue, struct loop *loop);
/** trigger_queue_close() - answer all triggers with 503, also those submitted later */
void trigger_queue_close(struct trigger_queue *queue);

/** trigger_submit() - any thread; done() will be called exactly once */
void trigger_submit(struct trigger_queue *queue, struct trigger *trigger);
/** trigger_queue_connect() - main thread: @fd (taken over) is the channel to a new scheduler */
int trigger_queue_connect(struct trigger_queue *queue, int fd);
/** trigger_queue_up() - any thread: is the scheduler connected? */
bool trigger_queue_up(struct trigger_queue *queue);

#endif
