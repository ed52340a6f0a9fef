/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of the queue: reasons, and the order of starts. */
#include "scheduler/queue/queue.h"

#include "common/cleanup.h"
#include "scheduler/queue/queue_host.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reasons of waiting ---- */

static const char *const wait_names[] = {
	[QUEUE_WAIT_NOT] = "none",
	[QUEUE_WAIT_NEXT] = "next",
	[QUEUE_WAIT_HELD] = "project-held",
	[QUEUE_WAIT_LABEL] = "label",
	[QUEUE_WAIT_NEVER] = "impossible",
	[QUEUE_WAIT_GROUP] = "group-limit",
	[QUEUE_WAIT_PROJECT] = "project-limit",
	[QUEUE_WAIT_STOPPED] = "stopped",
	[QUEUE_WAIT_LIMIT] = "limit",
	[QUEUE_WAIT_CPU] = "cpu",
	[QUEUE_WAIT_MEMORY] = "memory",
	[QUEUE_WAIT_SET_ASIDE] = "set-aside",
};
static_assert(sizeof(wait_names) / sizeof(wait_names[0]) == QUEUE_WAIT_NUM,
	      "a kind of waiting without a name");

const char *queue_wait_name(enum queue_wait wait)
{
	return wait < QUEUE_WAIT_NUM ? wait_names[wait] : "invalid";
}

/* Why @item does not start on @host, as far as its project allows it. */
static enum queue_wait host_wait(const struct queue_host *host, const struct queue_item *item)
{
	const struct queue *queue = host->queue;
	struct queue_need need = queue_host_need(host, item), room = queue_host_free(host);

	if (host->stopped)
		return QUEUE_WAIT_STOPPED;
	if (host->running >= host->capacity.limit)
		return QUEUE_WAIT_LIMIT;
	if (need.cpu_milli > room.cpu_milli)
		return QUEUE_WAIT_CPU;
	if (need.memory > room.memory)
		return QUEUE_WAIT_MEMORY;
	return queue_set_aside(queue) && queue->reserved_host == host && queue->reserved != item
		       ? QUEUE_WAIT_SET_ASIDE
		       : QUEUE_WAIT_NEXT;
}

/* The same for the host on which it is nearest to a start, returned in *@ret_host. */
static enum queue_wait hosts_wait(const struct queue_item *item, const struct queue_host **ret_host)
{
	enum queue_wait nearest = QUEUE_WAIT_NOT;
	const struct queue_host *host;

	list_each (host, &item->project->queue->hosts, node) {
		enum queue_wait wait;

		if (!queue_host_possible(host, item))
			continue;
		wait = host_wait(host, item);
		if (wait != QUEUE_WAIT_NEXT && wait <= nearest)
			continue;
		nearest = wait;
		*ret_host = host;
		if (wait == QUEUE_WAIT_NEXT)
			break;
	}
	return nearest;
}

static enum queue_wait item_wait(const struct queue_item *item, const struct queue_host **ret_host)
{
	static const enum queue_wait aside[] = {
		[QUEUE_NOWHERE] = QUEUE_WAIT_NOT, [QUEUE_LINE] = QUEUE_WAIT_NEXT,
		[QUEUE_GROUP] = QUEUE_WAIT_GROUP, [QUEUE_LABEL] = QUEUE_WAIT_LABEL,
		[QUEUE_NEVER] = QUEUE_WAIT_NEVER, [QUEUE_RUNNING] = QUEUE_WAIT_NOT,
	};
	const struct queue_project *project = item->project;

	if (item->where != QUEUE_LINE && item->where != QUEUE_GROUP)
		return aside[item->where];
	if (project->held)
		return QUEUE_WAIT_HELD;
	if (item->where == QUEUE_GROUP)
		return QUEUE_WAIT_GROUP;
	if (project->limit && project->running >= project->limit)
		return QUEUE_WAIT_PROJECT;
	return hosts_wait(item, ret_host);
}

static void format_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	if (value >= 100 || value == (double)(uint64_t)value)
		(void)snprintf(out, size, "%.0f%c", value, units[unit]);
	else
		(void)snprintf(out, size, "%.1f%c", value, units[unit]);
}

/* With several hosts, sentences name the host. */
static void on_host(const struct queue_host *host, char *out, size_t size)
{
	const struct list *hosts = &host->queue->hosts;

	out[0] = '\0';
	if (hosts->first != hosts->last)
		(void)snprintf(out, size, " on %.*s", QUEUE_HOST_NAME_MAX, host->name);
}

static void reason_host(const struct queue_item *item, const struct queue_host *host,
			enum queue_wait wait, char *out, size_t size)
{
	struct queue_need own = queue_host_need(host, item), free = queue_host_free(host);
	char need[16], room[16], all[16], where[QUEUE_HOST_NAME_MAX + 5];

	on_host(host, where, sizeof(where));
	switch (wait) {
	case QUEUE_WAIT_STOPPED:
		(void)snprintf(out, size, "%s%s", host->stopped, where);
		break;
	case QUEUE_WAIT_LIMIT:
		(void)snprintf(out, size, "limit %" PRIu64 " of running steps%s reached",
			       host->capacity.limit, where);
		break;
	case QUEUE_WAIT_CPU:
		(void)snprintf(out, size, "waits for %g processors: %g of %g are free%s",
			       (double)own.cpu_milli / 1000, (double)free.cpu_milli / 1000,
			       (double)host->capacity.cpu_milli / 1000, where);
		break;
	case QUEUE_WAIT_MEMORY:
		format_bytes(need, sizeof(need), own.memory);
		format_bytes(room, sizeof(room), free.memory);
		format_bytes(all, sizeof(all), host->capacity.memory);
		(void)snprintf(out, size, "waits for %s of memory: %s of %s are free%s", need, room,
			       all, where);
		break;
	default:
		break;
	}
}

/* The largest of the hosts with its labels (or of all, if none has them) is too small. */
static void reason_never(const struct queue_item *item, char *out, size_t size)
{
	const struct list *hosts = &item->project->queue->hosts;
	const struct queue_host *host;
	const struct queue_host *largest = list_entry(hosts->first, struct queue_host, node);
	char need[16], all[16];

	if (!largest)
		return;
	list_each (host, hosts, node) {
		bool labels = !queue_host_lacks(host, item);
		bool those = !queue_host_lacks(largest, item);

		if (labels > those ||
		    (labels == those && host->capacity.memory > largest->capacity.memory))
			largest = host;
	}
	format_bytes(need, sizeof(need), queue_host_need(largest, item).memory);
	format_bytes(all, sizeof(all), largest->capacity.memory);
	(void)snprintf(out, size,
		       "asks for %s of memory, but %s%s has %s for steps: lower "
		       "resources.memory, or see [Host] in runbookd.conf(5)",
		       need, largest->name,
		       hosts->first != hosts->last ? ", the largest host for it," : "", all);
}

/* Whether no host has @label. */
static bool lacked_by_all(const struct queue *queue, const char *label)
{
	const struct queue_item item = {.labels = &label, .n_labels = 1};
	const struct queue_host *host;

	list_each (host, &queue->hosts, node) {
		if (!queue_host_lacks(host, &item))
			return false;
	}
	return true;
}

static void reason_label(const struct queue_item *item, char *out, size_t size)
{
	size_t length;

	for (size_t i = 0; i < item->n_labels; i++) {
		if (lacked_by_all(item->project->queue, item->labels[i])) {
			(void)snprintf(out, size, "no host with label %s", item->labels[i]);
			return;
		}
	}
	(void)snprintf(out, size, "no host with all of the labels");
	for (size_t i = 0; i < item->n_labels; i++) {
		length = strnlen(out, size);
		(void)snprintf(out + length, size - length, "%s %s", i ? "," : "", item->labels[i]);
	}
}

enum queue_wait queue_reason(const struct queue_item *item, char *out, size_t size)
{
	const struct queue_project *project = item->project;
	const struct queue_host *host = NULL;
	enum queue_wait wait = item_wait(item, &host);

	if (size)
		out[0] = '\0';
	switch (wait) {
	case QUEUE_WAIT_NEXT:
		(void)snprintf(out, size, "starts next");
		break;
	case QUEUE_WAIT_HELD:
		(void)snprintf(out, size, "%s", project->held);
		break;
	case QUEUE_WAIT_LABEL:
		reason_label(item, out, size);
		break;
	case QUEUE_WAIT_NEVER:
		reason_never(item, out, size);
		break;
	case QUEUE_WAIT_GROUP:
		(void)snprintf(out, size, "limit %" PRIu64 " of matrix \"%s\" reached",
			       item->group->limit, item->group->name ? item->group->name : "");
		break;
	case QUEUE_WAIT_PROJECT:
		(void)snprintf(out, size, "project limit %" PRIu64 " reached", project->limit);
		break;
	case QUEUE_WAIT_STOPPED:
	case QUEUE_WAIT_LIMIT:
	case QUEUE_WAIT_CPU:
	case QUEUE_WAIT_MEMORY:
		if (host)
			reason_host(item, host, wait, out, size);
		break;
	case QUEUE_WAIT_SET_ASIDE:
		(void)snprintf(out, size,
			       "what is free is kept for a larger step that waits longer");
		break;
	case QUEUE_WAIT_NOT:
	case QUEUE_WAIT_NUM:
		break;
	}
	return wait;
}

/* ---- the order of starts ---- */

/* A project while its future starts are simulated. */
struct line {
	const struct queue_project *project;
	const struct need_node *waiting, *aside; /* the next item of each, NULL: no more */
	uint64_t tag, serial;
};

static bool line_before(const struct line *a, const struct line *b)
{
	return a->tag != b->tag ? a->tag < b->tag : a->serial < b->serial;
}

/* lines[] is a heap with the next project at the top. */
static void lines_sink(struct line *lines, size_t n, size_t at)
{
	for (;;) {
		size_t least = at, left = 2 * at + 1;
		struct line moved;

		if (left < n && line_before(&lines[left], &lines[least]))
			least = left;
		if (left + 1 < n && line_before(&lines[left + 1], &lines[least]))
			least = left + 1;
		if (least == at)
			return;
		moved = lines[at];
		lines[at] = lines[least];
		lines[least] = moved;
		at = least;
	}
}

/* The first item of both trees: parked items keep their position in the order. */
static const struct queue_item *line_take(struct line *line)
{
	const struct need_node **from = line->waiting ? &line->waiting : &line->aside;
	const struct queue_item *item;

	if (line->waiting && line->aside && line->project->line.before(line->aside, line->waiting))
		from = &line->aside;
	item = container_of(*from, struct queue_item, node);
	*from = need_tree_next(*from);
	return item;
}

static struct line *lines_make(const struct queue *queue)
{
	struct line *lines = calloc(queue->n_listed, sizeof(*lines));
	const struct queue_project *project;
	size_t n = 0;

	if (!lines)
		return NULL;
	list_each (project, &queue->projects, listed) {
		lines[n++] = (struct line){
			.project = project,
			.waiting = need_tree_first(&project->line),
			.aside = need_tree_first(&project->aside),
			.tag = project->tag > queue->virtual_now ? project->tag
								 : queue->virtual_now,
			.serial = project->in_ring ? project->serial
						   : queue->last_serial + project->serial + 1,
		};
	}
	for (size_t i = n / 2 + 1; i-- > 0;)
		lines_sink(lines, n, i);
	return lines;
}

int queue_walk(const struct queue *queue, uint64_t max,
	       void (*visit)(const struct queue_item *item, uint64_t position, void *userdata),
	       void *userdata)
{
	cleanup_free struct line *lines = NULL;
	uint64_t position = 0, serial = queue->last_serial * 2 + 2;
	size_t n = queue->n_listed;

	if (n == 0)
		return 0;
	lines = lines_make(queue);
	if (!lines)
		return -ENOMEM;
	for (uint64_t visited = 0; n > 0 && visited < max; visited++) {
		const struct queue_item *item = line_take(&lines[0]);
		bool starts = item->where != QUEUE_LABEL && item->where != QUEUE_NEVER;
		uint64_t cost = queue_cost(queue, item) / lines[0].project->weight;

		visit(item, starts ? ++position : 0, userdata);
		if (starts) {
			lines[0].tag += cost ? cost : 1;
			lines[0].serial = ++serial;
		}
		if (!lines[0].waiting && !lines[0].aside)
			lines[0] = lines[--n];
		lines_sink(lines, n, 0);
	}
	return 0;
}
