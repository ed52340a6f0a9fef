/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool project_may_start(const struct queue_project *project)
{
	return project->n_waiting > 0 && !project->held &&
	       (project->limit == 0 || project->running < project->limit);
}

static void ring_insert(struct queue_project *project)
{
	struct queue *queue = project->queue;
	struct queue_project *turn = queue->turn;

	project->in_ring = true;
	project->deficit = 0;
	if (!turn) {
		project->ring_next = project->ring_previous = project;
		queue->turn = project;
		return;
	}
	/* before the one whose turn it is: that is the end of the round */
	project->ring_next = turn;
	project->ring_previous = turn->ring_previous;
	turn->ring_previous->ring_next = project;
	turn->ring_previous = project;
}

static void ring_remove(struct queue_project *project)
{
	struct queue *queue = project->queue;

	if (queue->turn == project)
		queue->turn = project->ring_next == project ? NULL : project->ring_next;
	project->ring_previous->ring_next = project->ring_next;
	project->ring_next->ring_previous = project->ring_previous;
	project->ring_next = project->ring_previous = NULL;
	project->in_ring = false;
	/* credit is not saved up while there is nothing to spend it on */
	project->deficit = 0;
}

static void list_update(struct queue_project *project)
{
	struct queue *queue = project->queue;
	bool wanted = project->n_waiting > 0;

	if (wanted == project->listed)
		return;
	project->listed = wanted;
	if (wanted) {
		project->list_previous = NULL;
		project->list_next = queue->list;
		if (queue->list)
			queue->list->list_previous = project;
		queue->list = project;
		queue->n_listed++;
		return;
	}
	if (project->list_previous)
		project->list_previous->list_next = project->list_next;
	else
		queue->list = project->list_next;
	if (project->list_next)
		project->list_next->list_previous = project->list_previous;
	queue->n_listed--;
}

/* Called after every change: keeps ring and list equal to what they stand for. */
static void project_update(struct queue_project *project)
{
	bool wanted = project_may_start(project);

	if (wanted && !project->in_ring)
		ring_insert(project);
	else if (!wanted && project->in_ring)
		ring_remove(project);
	list_update(project);
}

void queue_project_init(struct queue *queue, struct queue_project *project)
{
	*project = (struct queue_project){.queue = queue, .weight = 1};
}

void queue_project_set(struct queue_project *project, uint64_t weight, uint64_t limit,
		       const char *held)
{
	project->weight = weight ? weight : 1;
	project->limit = limit;
	project->held = held;
	if (project->deficit > project->weight)
		project->deficit = project->weight;
	project_update(project);
}

void queue_push(struct queue_project *project, struct queue_item *item)
{
	assert(!item->project);
	item->project = project;
	item->next = NULL;
	item->previous = project->last;
	if (project->last)
		project->last->next = item;
	else
		project->first = item;
	project->last = item;
	project->n_waiting++;
	project->queue->n_waiting++;
	project_update(project);
}

static void item_unlink(struct queue_item *item)
{
	struct queue_project *project = item->project;

	if (item->previous)
		item->previous->next = item->next;
	else
		project->first = item->next;
	if (item->next)
		item->next->previous = item->previous;
	else
		project->last = item->previous;
	item->next = item->previous = NULL;
	item->project = NULL;
	project->n_waiting--;
	project->queue->n_waiting--;
}

void queue_remove(struct queue_item *item)
{
	struct queue_project *project = item->project;

	if (!project)
		return;
	item_unlink(item);
	project_update(project);
}

struct queue_item *queue_next(struct queue *queue)
{
	struct queue_project *project = queue->turn;
	struct queue_item *item;

	if (!project || queue->running >= queue->limit)
		return NULL;
	if (project->deficit == 0)
		project->deficit = project->weight;
	item = project->first;
	item_unlink(item);
	project->deficit--;
	project->running++;
	queue->running++;
	if (project->deficit == 0)
		queue->turn = project->ring_next;
	project_update(project);
	return item;
}

void queue_running(struct queue_project *project)
{
	project->running++;
	project->queue->running++;
	project_update(project);
}

void queue_finished(struct queue_project *project)
{
	assert(project->running > 0 && project->queue->running > 0);
	project->running--;
	project->queue->running--;
	project_update(project);
}

void queue_reason(const struct queue_item *item, char *out, size_t size)
{
	const struct queue_project *project = item->project;

	if (!project)
		(void)snprintf(out, size, "%s", "");
	else if (project->held)
		(void)snprintf(out, size, "%s", project->held);
	else if (project->limit && project->running >= project->limit)
		(void)snprintf(out, size, "project limit %" PRIu64 " reached", project->limit);
	else if (project->queue->running >= project->queue->limit)
		(void)snprintf(out, size, "limit %" PRIu64 " of running steps reached",
			       project->queue->limit);
	else
		(void)snprintf(out, size, "starts next");
}

struct walk_share {
	const struct queue_project *project;
	const struct queue_item *item;
	uint64_t deficit;
};

int queue_walk(const struct queue *queue, uint64_t max,
	       void (*visit)(const struct queue_item *item, uint64_t position, void *userdata),
	       void *userdata)
{
	cleanup_free struct walk_share *shares = NULL;
	const struct queue_project *project;
	uint64_t position = 0;
	size_t n = 0, i, left;

	if (queue->n_listed == 0)
		return 0;
	shares = calloc(queue->n_listed, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	for (project = queue->turn; project; project = project->ring_next) {
		shares[n++] = (struct walk_share){project, project->first, project->deficit};
		if (project->ring_next == queue->turn)
			break;
	}
	for (project = queue->list; project; project = project->list_next) {
		if (!project->in_ring)
			shares[n++] = (struct walk_share){project, project->first, 0};
	}
	for (left = n; left > 0 && position < max;) {
		left = 0;
		for (i = 0; i < n && position < max; i++) {
			struct walk_share *share = &shares[i];
			uint64_t turns = share->deficit ? share->deficit : share->project->weight;

			for (; turns > 0 && share->item && position < max; turns--) {
				visit(share->item, ++position, userdata);
				share->item = share->item->next;
			}
			share->deficit = 0;
			left += share->item != NULL;
		}
	}
	return 0;
}
