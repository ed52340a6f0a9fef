/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_H
#define SCHEDULER_QUEUE_H

/*
 * DOC: Who runs next, and where
 *
 * Between projects: weighted fair queueing. Every start costs its project as
 * many places as the largest part of a host that the step takes: one for a
 * step that declares nothing, four of eight for one that takes half of the
 * memory. The project that got least for its weight is next. A project that
 * comes back joins where the others are: it neither saves up turns while it has
 * nothing to do, nor pays for what it got while nobody else wanted it.
 * (Deficit round robin approximates this with a ring; where costs differ by
 * hundreds it would either hand out bursts or walk the ring in vain.)
 *
 * Within a project: the higher priority first, where a minute of waiting counts
 * as much as one level of it, so that nothing waits for ever; then the older
 * run; then the order of the runbook. The key is "minute in which it became
 * ready, less priority": ageing changes everybody's by the same amount, so that
 * nothing is ever sorted again.
 *
 * What may start: the project is not held and under its limit, the step's group
 * (a matrix with a limit) is under its limit, and there is a host that admits
 * steps, has a free place and all labels of the step, and whose processors and
 * memory, less what those that run there were promised, are enough for it. Of
 * several such hosts the least loaded one gets it. Where the first in line fits
 * on no host, the next one that does goes past it; but once QUEUE_PASSES times as
 * many steps as a host has places went past on that host, what it needs there is
 * set aside: others start on that host only beside it.
 *
 * Every operation costs O(log n) of what waits, whatever waits. Pure: no clock,
 * no I/O, no allocation (but for queue_walk()). Hosts, items, groups and projects
 * are embedded in the objects of the caller.
 *
 * Hosts are a list: what is done for each of them is O(hosts), and what labels
 * keep from a host is looked at one by one, as far as the budget of a search goes.
 */

#include "common/limits.h"
#include "common/list.h"
#include "scheduler/queue/need_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a minute of waiting counts as much as a level of priority */
#define QUEUE_AGE_USEC 60000000ULL
/* so many times the number of places may others go past a step that does not fit */
#define QUEUE_PASSES 4
/* a step that declares nothing counts as an even share, but not as more than this */
#define QUEUE_SHARE_CPU_MILLI_MAX 1000ULL
#define QUEUE_SHARE_MEMORY_MAX (512ULL << 20)
#define QUEUE_HOST_NAME_MAX 64 /* bytes of it that sentences show */

struct queue;
struct queue_project;

/** enum queue_wait - why something waits; names for machines: queue_wait_name() */
enum queue_wait {
	QUEUE_WAIT_NOT,	      /* it does not wait */
	QUEUE_WAIT_NEXT,      /* it starts with the next turn of the loop */
	QUEUE_WAIT_HELD,      /* its project is held */
	QUEUE_WAIT_LABEL,     /* no host has the label */
	QUEUE_WAIT_NEVER,     /* it needs more than there is */
	QUEUE_WAIT_GROUP,     /* the limit of its group */
	QUEUE_WAIT_PROJECT,   /* the limit of its project */
	QUEUE_WAIT_STOPPED,   /* its host admits nothing */
	QUEUE_WAIT_LIMIT,     /* all places are taken */
	QUEUE_WAIT_CPU,	      /* too few processors are free */
	QUEUE_WAIT_MEMORY,    /* too little memory is free */
	QUEUE_WAIT_SET_ASIDE, /* what is free is kept for another one */
	QUEUE_WAIT_NUM,
};

/** struct queue_group - items of one project (a matrix) of which only so many run at once */
struct queue_group {
	const char *name; /* of the matrix, kept by the caller */
	uint64_t limit;	  /* 0: none */
	uint64_t running;
	uint64_t n_offered;  /* in their project's line; the others stand aside */
	struct list waiting; /* those that do */
};

enum queue_where {
	QUEUE_NOWHERE = 0, /* neither waits nor runs */
	QUEUE_LINE,	   /* in its project's line */
	QUEUE_GROUP,	   /* aside, until its group has room */
	QUEUE_LABEL,	   /* aside: no host has all of its labels */
	QUEUE_NEVER,	   /* aside: needs more than there is; queue_impossible() */
	QUEUE_RUNNING,
};

/** struct queue_item - something that waits or runs; embedded in a step, zeroed at first */
struct queue_item {
	/* the caller's, set before queue_push() and queue_running(), then left alone */
	uint64_t ready_usec;	   /* wall clock; survives restarts */
	int64_t priority;	   /* higher first */
	uint64_t run, index;	   /* the older run first, then the smaller index */
	uint64_t cpu_milli;	   /* declared; 0: not */
	uint64_t memory;	   /* declared, bytes; 0: not */
	const char *const *labels; /* a host must have them all; kept by the caller */
	size_t n_labels;
	struct queue_group *group; /* NULL: none */
	/* the queue's */
	struct queue_project *project; /* NULL while it is nowhere */
	struct queue_host *host;       /* where it runs, NULL: it does not */
	enum queue_where where;
	struct need_node node; /* its @own need: the least on any host; on @host once it runs */
	int64_t key;
	uint64_t passed;	/* others that went past it since it was first and did not fit */
	uint64_t beside;	/* the reservation beside which it runs, see struct queue */
	struct list_node aside; /* of its group, or of the impossible ones */
};

/** struct queue_project - one project's share; embedded in a project */
struct queue_project {
	struct queue *queue;
	const char *held; /* why nothing of it may start, NULL: it may */
	uint64_t weight;  /* share, at least 1 */
	uint64_t limit;	  /* running at once, 0: no limit of its own */
	uint64_t running;
	uint64_t n_waiting;
	struct need_tree line;	/* what may start as far as it goes by itself */
	struct need_tree aside; /* what waits for something of its own */
	/* its place among the projects that could start something */
	bool in_ring;
	struct need_node node;
	struct need_least least; /* of its line */
	uint64_t tag;		 /* what it got, by its weight */
	uint64_t serial;	 /* of the last time it got in line: ties go to the smaller */
	struct list_node listed; /* of queue->projects */
};

/** struct queue_capacity - what a host has to hand out */
struct queue_capacity {
	uint64_t limit;	    /* places: steps at once, all projects together */
	uint64_t cpu_milli; /* 0: not counted */
	uint64_t memory;    /* 0: not counted */
	/* what a step counts as that declares none; 0: an even share, see QUEUE_SHARE_… */
	uint64_t default_cpu_milli, default_memory;
};

/** struct queue_host - where items run; embedded in an executor */
struct queue_host {
	struct queue *queue;
	struct list_node node;
	const char *name; /* in sentences, "this host"; kept by the caller */
	struct queue_capacity capacity;
	char labels[HOST_LABELS_MAX + 1]; /* words separated by single blanks */
	const char *stopped;		  /* why nothing is admitted here, NULL: it is */
	uint64_t running;
	struct queue_need used; /* by what runs */
	struct need_room room;	/* during a search: what may be used of it */
};

struct queue {
	struct list hosts;
	uint64_t running;
	uint64_t n_waiting;
	struct need_tree ring; /* projects that could start something, by tag */
	uint64_t virtual_now;  /* tag of the project that was next last time */
	uint64_t tag_max;
	uint64_t last_serial;
	struct list projects; /* those with something waiting */
	size_t n_listed;
	struct list impossible;
	/* the one that was first and fitted nowhere, NULL: none; and where it may get room */
	struct queue_item *reserved;
	struct queue_host *reserved_host;
	uint64_t reservation;	  /* grows with each one */
	uint64_t n_beside;	  /* started while its needs were set aside, still running */
	struct queue_need beside; /* what those use */
};

/** queue_init() - an empty queue without hosts */
void queue_init(struct queue *queue);
/**
 * queue_host_add() - @host hands out places; nothing is waiting yet
 * @host:  overwritten; may not move in memory
 * @name:  what sentences call it; not copied
 * @limit: places; nothing else is counted before queue_host_configure()
 */
void queue_host_add(struct queue *queue, struct queue_host *host, const char *name, uint64_t limit);
/**
 * queue_host_configure() - what @host has to hand out, and its labels
 * @labels: words separated by single blanks; copied, as far as HOST_LABELS_MAX
 *
 * O(n log n) of what waits and O(n) of what runs, when anything did change. The
 * caller calls queue_recount() for what runs.
 */
void queue_host_configure(struct queue_host *host, const struct queue_capacity *capacity,
			  const char *labels);
/** queue_host_stop() - admit nothing on @host; @why is not copied (static or kept), NULL lifts it */
void queue_host_stop(struct queue_host *host, const char *why);

/** queue_project_init() - attach a zeroed @project to @queue with weight 1 and no limit */
void queue_project_init(struct queue *queue, struct queue_project *project);
/** queue_project_set() - new weight, limit and hold; @held is not copied (static or kept) */
void queue_project_set(struct queue_project *project, uint64_t weight, uint64_t limit,
		       const char *held);

/** queue_push() - @item waits in @project; its fields of the caller are set */
void queue_push(struct queue_project *project, struct queue_item *item);
/** queue_remove() - @item does not wait any more; no-op when it did not */
void queue_remove(struct queue_item *item);
/**
 * queue_impossible() - something that waits and can never start: it needs more than any host has
 *
 * The caller ends it (queue_remove()) and asks again. Return: NULL when there is none.
 */
struct queue_item *queue_impossible(const struct queue *queue);

/**
 * queue_next() - take the next item that may start now
 *
 * It counts as running on item->host from here on; queue_finished() ends that.
 * Return: NULL when nothing waits that may start.
 */
struct queue_item *queue_next(struct queue *queue);
/** queue_running() - @item of @project runs on @host; it was started in an earlier life */
void queue_running(struct queue_project *project, struct queue_item *item, struct queue_host *host);
/** queue_move() - @item runs on @host, not where it was thought to run */
void queue_move(struct queue_item *item, struct queue_host *host);
/** queue_recount() - @item runs, and queue_host_configure() changed what it counts as */
void queue_recount(struct queue_item *item);
/** queue_finished() - @item stopped running; no-op when it did not run */
void queue_finished(struct queue_item *item);

/** queue_wait_name() - "project-limit", …: short, for machines, never changed */
const char *queue_wait_name(enum queue_wait wait);
/**
 * queue_reason() - why @item does not run yet, as a sentence without a full stop
 *
 * Return: the same for machines.
 */
enum queue_wait queue_reason(const struct queue_item *item, char *out, size_t size);
/** queue_places() - steps that all hosts together run at once */
uint64_t queue_places(const struct queue *queue);
/** queue_cost() - what a start of @item costs its project, QUEUE_PLACE for each place */
uint64_t queue_cost(const struct queue *queue, const struct queue_item *item);
#define QUEUE_PLACE (1ULL << 24)
/** queue_set_aside() - is what the reserved item needs kept for it by now? */
bool queue_set_aside(const struct queue *queue);

/**
 * queue_walk() - visit waiting items in the order in which they would start if everything
 * fitted and no limit were met
 * @max:   stop after so many
 * @visit: @position counts from 1; 0: it will not start as things are (a label is missing)
 *
 * Return: 0 or -ENOMEM.
 */
int queue_walk(const struct queue *queue, uint64_t max,
	       void (*visit)(const struct queue_item *item, uint64_t position, void *userdata),
	       void *userdata);

#endif
