/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_H
#define SCHEDULER_QUEUE_H

/*
 * DOC: Who runs next
 *
 * Deficit round robin over projects, first come first served within a project.
 * A project whose turn it is may start as many steps as its weight says, then
 * the next one has its turn. Only projects that could start a step right now
 * are in the ring (something waits, it is not held, its limit is not reached),
 * so every operation here costs the same however long the queue is.
 *
 * Pure: no clock, no I/O, no allocation. Items and projects are embedded in the
 * objects of the caller.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;
struct queue_project;

/** struct queue_item - something that waits; embedded in a step */
struct queue_item {
	struct queue_project *project; /* NULL while it does not wait */
	struct queue_item *next, *previous;
};

/** struct queue_project - one project's share; embedded in a project */
struct queue_project {
	struct queue *queue;
	const char *held; /* why nothing of it may start, NULL: it may */
	uint64_t weight;  /* starts for each turn, at least 1 */
	uint64_t limit;	  /* running at once, 0: no limit of its own */
	uint64_t running;
	uint64_t deficit; /* starts left in this turn */
	uint64_t n_waiting;
	struct queue_item *first, *last;
	bool in_ring;
	struct queue_project *ring_next, *ring_previous;
	/* every project with something waiting, in the ring or not */
	bool listed;
	struct queue_project *list_next, *list_previous;
};

struct queue {
	uint64_t limit; /* running at once, all projects together */
	uint64_t running;
	uint64_t n_waiting;
	struct queue_project *turn; /* whose turn it is, NULL: the ring is empty */
	struct queue_project *list; /* projects with something waiting */
	size_t n_listed;
};

/** queue_project_init() - attach a zeroed @project to @queue with weight 1 and no limit */
void queue_project_init(struct queue *queue, struct queue_project *project);
/** queue_project_set() - new weight, limit and hold; @held is not copied (static or kept) */
void queue_project_set(struct queue_project *project, uint64_t weight, uint64_t limit,
		       const char *held);

/** queue_push() - @item waits at the end of @project's line */
void queue_push(struct queue_project *project, struct queue_item *item);
/** queue_remove() - @item does not wait any more; no-op when it did not */
void queue_remove(struct queue_item *item);

/**
 * queue_next() - take the next item that may start now
 *
 * It counts as running from here on; queue_finished() ends that.
 * Return: NULL when nothing waits or everything that waits is over a limit.
 */
struct queue_item *queue_next(struct queue *queue);
/** queue_running() - something of @project runs that was started in an earlier life */
void queue_running(struct queue_project *project);
/** queue_finished() - something of @project stopped running */
void queue_finished(struct queue_project *project);

/**
 * queue_reason() - why @item does not run yet, as a sentence without a full stop
 */
void queue_reason(const struct queue_item *item, char *out, size_t size);

/**
 * queue_walk() - visit waiting items in the order they would start if one ended
 * after the other; held projects take part as if they were not held
 * @max:   stop after so many
 * @visit: @position counts from 1
 *
 * Return: 0 or -ENOMEM.
 */
int queue_walk(const struct queue *queue, uint64_t max,
	       void (*visit)(const struct queue_item *item, uint64_t position, void *userdata),
	       void *userdata);

#endif
