/* SPDX-License-Identifier: Apache-2.0 */
#include "common/loop.h"

#include "common/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LOOP_EVENTS 64

/*
 * The user data of an epoll event is {slot, low half of the sequence}, not a pointer: an event
 * that was fetched before its file was removed (and perhaps freed, or its slot reused) no
 * longer matches and is dropped.
 */
struct loop_slot {
	struct loop_file *file; /* NULL: free */
	size_t next_free;
};

struct loop {
	int epoll_fd;
	bool exiting;
	int exit_code;
	uint64_t next_sequence;
	struct loop_slot *slots;
	size_t n_slots;
	size_t first_free; /* head of a list of free slots; n_slots: none is free */
	struct loop_timer **heap;
	size_t n_timers, timers_room;
	struct loop_file signal_file;
	int signal_fd;
	loop_signal_fn signal_callback;
	void *signal_userdata;
	loop_idle_fn idle_callback; /* NULL: none */
	void *idle_userdata;
	bool idle_wanted;
};

static uint64_t clock_usec(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}

uint64_t wall_usec(void)
{
	return clock_usec(CLOCK_REALTIME);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->signal_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	loop_remove(&loop->signal_file);
	if (loop->signal_fd >= 0)
		(void)close(loop->signal_fd);
	for (size_t i = 0; i < loop->n_slots; i++) {
		if (loop->slots[i].file)
			loop->slots[i].file->loop = NULL;
	}
	for (size_t i = 0; i < loop->n_timers; i++)
		loop->heap[i]->loop = NULL;
	(void)close(loop->epoll_fd);
	free(loop->slots);
	free(loop->heap);
	free(loop);
	return NULL;
}

/* ---- files ---- */

static uint64_t file_reference(const struct loop_file *file)
{
	return (uint64_t)file->slot << 32 | (file->sequence & UINT32_MAX);
}

static int slots_grow(struct loop *loop)
{
	size_t room = loop->n_slots ? loop->n_slots * 2 : 16;
	struct loop_slot *grown = realloc(loop->slots, room * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (size_t i = loop->n_slots; i < room; i++)
		grown[i] = (struct loop_slot){.file = NULL, .next_free = i + 1};
	loop->first_free = loop->n_slots;
	loop->slots = grown;
	loop->n_slots = room;
	return 0;
}

static int slot_take(struct loop *loop, struct loop_file *file)
{
	if (loop->first_free == loop->n_slots) {
		int r = slots_grow(loop);

		if (r < 0)
			return r;
	}
	file->slot = loop->first_free;
	loop->first_free = loop->slots[file->slot].next_free;
	loop->slots[file->slot].file = file;
	return 0;
}

static void slot_give_back(struct loop *loop, const struct loop_file *file)
{
	loop->slots[file->slot] = (struct loop_slot){.file = NULL, .next_free = loop->first_free};
	loop->first_free = file->slot;
}

int loop_add(struct loop *loop, struct loop_file *file, int fd, uint32_t events,
	     loop_file_fn callback)
{
	struct epoll_event event = {.events = events};
	int r;

	r = slot_take(loop, file);
	if (r < 0)
		return r;
	file->fd = fd;
	file->events = events;
	file->callback = callback;
	file->sequence = ++loop->next_sequence;
	event.data.u64 = file_reference(file);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		r = -errno;
		slot_give_back(loop, file);
		file->loop = NULL;
		return r;
	}
	file->loop = loop;
	return 0;
}

int loop_modify(struct loop_file *file, uint32_t events)
{
	struct epoll_event event = {.events = events};

	if (!file->loop)
		return -EINVAL;
	if (file->events == events)
		return 0;
	event.data.u64 = file_reference(file);
	if (epoll_ctl(file->loop->epoll_fd, EPOLL_CTL_MOD, file->fd, &event) < 0)
		return -errno;
	file->events = events;
	return 0;
}

void loop_remove(struct loop_file *file)
{
	if (!file->loop)
		return;
	/*
	 * Do not rely on close(2): with a duplicate of the descriptor, the registration would
	 * stay (epoll(7)).
	 */
	(void)epoll_ctl(file->loop->epoll_fd, EPOLL_CTL_DEL, file->fd, NULL);
	slot_give_back(file->loop, file);
	file->loop = NULL;
}

static void file_dispatch(struct loop *loop, const struct epoll_event *event)
{
	size_t slot = event->data.u64 >> 32;
	struct loop_file *file = slot < loop->n_slots ? loop->slots[slot].file : NULL;

	if (file && (file->sequence & UINT32_MAX) == (event->data.u64 & UINT32_MAX))
		file->callback(file, event->events);
}

/* ---- timers: a binary heap, earliest first ---- */

static void heap_place(struct loop *loop, size_t index, struct loop_timer *timer)
{
	loop->heap[index] = timer;
	timer->heap_index = index;
}

static void heap_up(struct loop *loop, size_t index)
{
	struct loop_timer *timer = loop->heap[index];

	while (index > 0 && loop->heap[(index - 1) / 2]->at_usec > timer->at_usec) {
		heap_place(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	heap_place(loop, index, timer);
}

static void heap_down(struct loop *loop, size_t index)
{
	struct loop_timer *timer = loop->heap[index];

	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= loop->n_timers)
			break;
		if (child + 1 < loop->n_timers &&
		    loop->heap[child + 1]->at_usec < loop->heap[child]->at_usec)
			child++;
		if (loop->heap[child]->at_usec >= timer->at_usec)
			break;
		heap_place(loop, index, loop->heap[child]);
		index = child;
	}
	heap_place(loop, index, timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_usec,
		   loop_timer_fn callback)
{
	loop_timer_cancel(timer);
	if (loop->n_timers == loop->timers_room) {
		size_t room = loop->timers_room ? loop->timers_room * 2 : 16;
		struct loop_timer **grown = realloc(loop->heap, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		loop->heap = grown;
		loop->timers_room = room;
	}
	timer->loop = loop;
	timer->at_usec = at_usec;
	timer->callback = callback;
	loop->n_timers++;
	heap_place(loop, loop->n_timers - 1, timer);
	heap_up(loop, loop->n_timers - 1);
	return 0;
}

void loop_timer_cancel(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	struct loop_timer *last;
	size_t index = timer->heap_index;

	if (!loop)
		return;
	timer->loop = NULL;
	last = loop->heap[--loop->n_timers];
	if (last == timer)
		return;
	heap_place(loop, index, last);
	heap_up(loop, index);
	heap_down(loop, last->heap_index);
}

static int timers_timeout_msec(const struct loop *loop)
{
	uint64_t now;
	uint64_t msec;

	if (loop->n_timers == 0)
		return -1;
	now = now_usec();
	if (loop->heap[0]->at_usec <= now)
		return 0;
	msec = (loop->heap[0]->at_usec - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
	return msec > INT_MAX ? INT_MAX : (int)msec;
}

static void timers_dispatch(struct loop *loop)
{
	uint64_t now = now_usec();

	/* bounded: a timer that is always set to a past time must not starve the files */
	for (size_t left = loop->n_timers;
	     left > 0 && loop->n_timers > 0 && !loop->exiting && loop->heap[0]->at_usec <= now;
	     left--) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_cancel(timer);
		timer->callback(timer);
	}
}

/* ---- signals ---- */

static void signals_read(struct loop_file *file, uint32_t events)
{
	struct loop *loop = container_of(file, struct loop, signal_file);
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->signal_callback(loop->signal_userdata, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, loop_signal_fn callback, void *userdata)
{
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	for (; *signals; signals++)
		(void)sigaddset(&set, *signals);
	r = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return -errno;
	loop->signal_callback = callback;
	loop->signal_userdata = userdata;
	return loop_add(loop, &loop->signal_file, loop->signal_fd, EPOLLIN, signals_read);
}

/* ---- running ---- */

void loop_idle_set(struct loop *loop, loop_idle_fn callback, void *userdata)
{
	loop->idle_callback = callback;
	loop->idle_userdata = userdata;
	loop->idle_wanted = callback != NULL;
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[LOOP_EVENTS];

	while (!loop->exiting) {
		int timeout = timers_timeout_msec(loop);
		int n = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS,
				   loop->idle_wanted ? 0 : timeout);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && timeout != 0 && loop->idle_wanted) {
			loop->idle_wanted = loop->idle_callback(loop->idle_userdata);
			continue;
		}
		loop->idle_wanted = loop->idle_callback != NULL;
		for (int i = 0; i < n && !loop->exiting; i++)
			file_dispatch(loop, &events[i]);
		timers_dispatch(loop);
	}
	loop->exiting = false; /* so that it can run again */
	return loop->exit_code;
}

void loop_exit(struct loop *loop, int code)
{
	loop->exiting = true;
	loop->exit_code = code;
}

bool loop_exiting(const struct loop *loop)
{
	return loop->exiting;
}
