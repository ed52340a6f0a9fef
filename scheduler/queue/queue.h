/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_H
#define SCHEDULER_QUEUE_H

/*
 * DOC: Which item runs next, and where
 *
 * Between projects: weighted fair queueing. Every start costs its project the largest part of a
 * host that the step takes, counted in places: one place for a step that declares nothing, four of
 * eight for a step that takes half of the memory. The next project is the one with the least cost
 * for its weight. A project that comes back joins at the current level: it neither saves up turns
 * while it has nothing to do, nor pays for what it got while no other project waited. (Deficit
 * round robin approximates this with a ring; where costs differ by a factor of hundreds it either
 * hands out bursts or circles the ring in vain.)
 *
 * Within a project: by priority, where a minute of waiting counts as much as one level, so that
 * nothing waits forever; then the older run; then the order of the runbook. The key is "minute in
 * which it became ready, minus priority": ageing changes all keys by the same amount, so nothing is
 * ever sorted again.
 *
 * An item may start when its project is not held and is below its limit, its group (a matrix with a
 * limit) is below its limit, and there is a host that admits steps, has a free place and all labels
 * of the item, and whose free processors and memory suffice. Of several such hosts the least loaded
 * one gets it. If the first item in line fits on no host, a later one that fits overtakes it. But
 * once QUEUE_PASSES times as many items as a host has places have overtaken it on that host, the
 * resources that it needs there are reserved: other items start on that host only beside them.
 *
 * An item that cannot start for a reason of its own (no host has its labels or its size, or its
 * group is full) is parked: it waits in the tree `aside` of its project instead of in its line.
 *
 * Every operation costs O(log n) of the waiting items, whatever they are. Pure: no clock, no I/O,
 * no allocation (except queue_walk()). Hosts, items, groups and projects are embedded in objects of
 * the caller.
 *
 * Hosts are a list: work for each host is O(hosts). Items that a host excludes by its labels are
 * visited one by one, up to the budget of a search.
 */

#include "common/limits.h"
#include "common/list.h"
#include "scheduler/queue/need_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a minute of waiting counts as much as a level of priority */
#define QUEUE_AGE_USEC 60000000ULL
/* a step that does not fit may be overtaken this many times the number of places */
#define QUEUE_PASSES 4
/* a step that declares nothing counts as an even share of the host, but at most as this */
#define QUEUE_SHARE_CPU_MILLI_MAX 1000ULL
#define QUEUE_SHARE_MEMORY_MAX (512ULL << 20)
#define QUEUE_HOST_NAME_MAX 64 /* bytes of the name that sentences show */

struct queue;
struct queue_project;

/** enum queue_wait - why an item waits; for machines: queue_wait_name() */
enum queue_wait {
	QUEUE_WAIT_NOT,	      /* it does not wait */
	QUEUE_WAIT_NEXT,      /* it starts with the next turn of the loop */
	QUEUE_WAIT_HELD,      /* its project is held */
	QUEUE_WAIT_LABEL,     /* no host has the label */
	QUEUE_WAIT_NEVER,     /* it needs more than any host has */
	QUEUE_WAIT_GROUP,     /* the limit of its group is reached */
	QUEUE_WAIT_PROJECT,   /* the limit of its project is reached */
	QUEUE_WAIT_STOPPED,   /* its host admits no steps */
	QUEUE_WAIT_LIMIT,     /* all places are taken */
	QUEUE_WAIT_CPU,	      /* too few processors are free */
	QUEUE_WAIT_MEMORY,    /* too little memory is free */
	QUEUE_WAIT_SET_ASIDE, /* the free resources are reserved for another item */
	QUEUE_WAIT_NUM,
};

/** struct queue_group - items of one project (a matrix), of which only @limit run at once */
struct queue_group {
	const char *name; /* of the matrix, kept by the caller */
	uint64_t limit;	  /* 0: none */
	uint64_t running;
	uint64_t n_offered;  /* in their project's line; the others are parked */
	struct list waiting; /* the parked items */
};

enum queue_where {
	QUEUE_NOWHERE = 0, /* neither waits nor runs */
	QUEUE_LINE,	   /* in its project's line */
	QUEUE_GROUP,	   /* parked until its group has room */
	QUEUE_LABEL,	   /* parked: no host has all of its labels */
	QUEUE_NEVER,	   /* parked: needs more than any host has, see queue_impossible() */
	QUEUE_RUNNING,
};

/** struct queue_item - an item that waits or runs; embedded in a step, zeroed at first */
struct queue_item {
	/* of the caller, set before queue_push() and queue_running(), constant afterwards */
	uint64_t ready_usec;	   /* wall clock; survives restarts */
	int64_t priority;	   /* higher first */
	uint64_t run, index;	   /* the older run first, then the smaller index */
	uint64_t cpu_milli;	   /* declared; 0: none */
	uint64_t memory;	   /* declared, bytes; 0: none */
	const char *const *labels; /* a host must have them all; kept by the caller */
	size_t n_labels;
	struct queue_group *group; /* NULL: none */
	/* of the queue */
	struct queue_project *project; /* NULL while it neither waits nor runs */
	struct queue_host *host;       /* where it runs, NULL: it waits */
	enum queue_where where;
	struct need_node node; /* @own: the least need on any host; on @host while it runs */
	int64_t key;
	uint64_t passed;	/* how often it was overtaken since it was first and did not fit */
	uint64_t beside;	/* number of the reservation that it runs beside */
	struct list_node aside; /* in its group, or among the impossible items */
};

/** struct queue_project - the share of one project; embedded in struct project */
struct queue_project {
	struct queue *queue;
	const char *held; /* why none of its items may start, NULL: they may */
	uint64_t weight;  /* share, at least 1 */
	uint64_t limit;	  /* running at once, 0: no limit of its own */
	uint64_t running;
	uint64_t n_waiting;
	struct need_tree line;	/* items that may start as far as their group and labels go */
	struct need_tree aside; /* parked items */
	/* its position among the projects that have an item to start */
	bool in_ring;
	struct need_node node;
	struct need_least least; /* of its line */
	uint64_t tag;		 /* cost of its starts so far, divided by its weight */
	uint64_t serial; /* of its last entry into the ring: for equal tags, the smaller first */
	struct list_node listed; /* of queue->projects */
};

/** struct queue_capacity - resources of a host */
struct queue_capacity {
	uint64_t limit;	    /* places: steps at once, all projects together */
	uint64_t cpu_milli; /* 0: not counted */
	uint64_t memory;    /* 0: not counted */
	/* what a step counts as that declares nothing; 0: an even share, see QUEUE_SHARE_… */
	uint64_t default_cpu_milli, default_memory;
};

/** struct queue_host - where items run; embedded in struct executor */
struct queue_host {
	struct queue *queue;
	struct list_node node;
	const char *name; /* in sentences, "this host"; kept by the caller */
	struct queue_capacity capacity;
	char labels[HOST_LABELS_MAX + 1]; /* words separated by single blanks */
	const char *stopped;		  /* why no item is admitted here, NULL: items are */
	uint64_t running;
	struct queue_need used; /* sum of what the running items count as */
	struct need_room room;	/* during a search: what may be used */
};

struct queue {
	struct list hosts;
	uint64_t running;
	uint64_t n_waiting;
	struct need_tree ring; /* projects that have an item to start, by tag */
	uint64_t virtual_now;  /* tag of the project that started an item last */
	uint64_t tag_max;
	uint64_t last_serial;
	struct list projects; /* projects with waiting items */
	size_t n_listed;
	struct list impossible;
	/* the first item that fitted nowhere, NULL: none; and the host it waits for */
	struct queue_item *reserved;
	struct queue_host *reserved_host;
	uint64_t reservation;	  /* number of the reservation, incremented with each new one */
	uint64_t n_beside;	  /* running items that started while its resources were reserved */
	struct queue_need beside; /* what these count as */
};

/** queue_init() - make an empty queue without hosts */
void queue_init(struct queue *queue);
/**
 * queue_host_add() - add @host, before anything waits
 * @host:  overwritten; must not move in memory
 * @name:  its name in sentences; not copied
 * @limit: places; nothing else is counted before queue_host_configure()
 */
void queue_host_add(struct queue *queue, struct queue_host *host, const char *name, uint64_t limit);
/**
 * queue_host_configure() - set the resources and labels of @host
 * @labels: words separated by single blanks; copied, up to HOST_LABELS_MAX
 *
 * O(n log n) of the waiting items and O(n) of the running ones, if anything changed. The caller
 * calls queue_recount() for each running item.
 */
void queue_host_configure(struct queue_host *host, const struct queue_capacity *capacity,
			  const char *labels);
/**
 * queue_host_stop() - admit no items on @host; @why is not copied (static or kept), NULL: admit
 * again
 */
void queue_host_stop(struct queue_host *host, const char *why);

/** queue_project_init() - attach a zeroed @project to @queue, with weight 1 and without limit */
void queue_project_init(struct queue *queue, struct queue_project *project);
/** queue_project_set() - set weight, limit and hold; @held is not copied (static or kept) */
void queue_project_set(struct queue_project *project, uint64_t weight, uint64_t limit,
		       const char *held);

/** queue_push() - let @item wait in @project; the caller's fields are set */
void queue_push(struct queue_project *project, struct queue_item *item);
/** queue_remove() - stop waiting; no-op when @item does not wait */
void queue_remove(struct queue_item *item);
/**
 * queue_impossible() - a waiting item that needs more than any host has
 *
 * The caller ends it (queue_remove()) and calls again. Return: NULL when there is none.
 */
struct queue_item *queue_impossible(const struct queue *queue);

/**
 * queue_next() - take the next item that may start now
 *
 * It counts as running on item->host from now on; queue_finished() ends that.
 * Return: NULL when no item may start.
 */
struct queue_item *queue_next(struct queue *queue);
/** queue_running() - count @item of @project, which an earlier life started, as running on @host */
void queue_running(struct queue_project *project, struct queue_item *item, struct queue_host *host);
/** queue_move() - count @item as running on @host instead of where it was assumed to run */
void queue_move(struct queue_item *item, struct queue_host *host);
/** queue_recount() - count the running @item anew after queue_host_configure() */
void queue_recount(struct queue_item *item);
/** queue_finished() - @item stopped running; no-op when it does not run */
void queue_finished(struct queue_item *item);

/** queue_wait_name() - the reason for machines, such as "project-limit"; never changed */
const char *queue_wait_name(enum queue_wait wait);
/**
 * queue_reason() - write why @item does not run yet, as a sentence without a full stop
 *
 * Return: the same for machines.
 */
enum queue_wait queue_reason(const struct queue_item *item, char *out, size_t size);
/** queue_places() - number of steps that all hosts together run at once */
uint64_t queue_places(const struct queue *queue);
/** queue_cost() - the cost that a start of @item adds to its project; QUEUE_PLACE is one place */
uint64_t queue_cost(const struct queue *queue, const struct queue_item *item);
#define QUEUE_PLACE (1ULL << 24)
/** queue_set_aside() - whether the resources of the reserved item are reserved by now */
bool queue_set_aside(const struct queue *queue);

/**
 * queue_walk() - visit waiting items in the order in which they would start if everything fitted
 * and no limit were reached
 * @max:   stop after so many items
 * @visit: @position counts from 1; 0: the item cannot start as things are (a label is missing)
 *
 * Return: 0 or -ENOMEM.
 */
int queue_walk(const struct queue *queue, uint64_t max,
	       void (*visit)(const struct queue_item *item, uint64_t position, void *userdata),
	       void *userdata);

#endif
