/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

/*
 * DOC: Event loop
 *
 * One epoll instance, one thread. Objects embed a struct loop_file or a struct loop_timer;
 * their callbacks get back to the object with container_of(). Callbacks are level-triggered. A
 * callback may remove or free any object, including its own: events already fetched for a
 * removed file are not delivered.
 *
 * Times are microseconds of CLOCK_MONOTONIC.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_file;
struct loop_timer;

typedef void (*loop_file_fn)(struct loop_file *file, uint32_t events);
typedef void (*loop_timer_fn)(struct loop_timer *timer);
typedef bool (*loop_idle_fn)(void *userdata);
typedef void (*loop_signal_fn)(void *userdata, int signal_number);

struct loop_file {
	struct loop *loop; /* NULL while not registered */
	int fd;		   /* not owned */
	uint32_t events;
	loop_file_fn callback;
	uint64_t sequence; /* internal: detects stale events */
	size_t slot;
};
#define LOOP_FILE_NULL ((struct loop_file){.fd = -1})

struct loop_timer {
	struct loop *loop; /* NULL while not armed */
	uint64_t at_usec;
	loop_timer_fn callback;
	size_t heap_index;
};
#define LOOP_TIMER_NULL ((struct loop_timer){.loop = NULL})

/** loop_new() - make a loop; loop_free() releases it. Return: 0 or -errno. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);

/**
 * loop_add() - watch @fd for @events (EPOLLIN | EPOLLOUT)
 *
 * @file must stay where it is until loop_remove(). EPOLLHUP and EPOLLERR are
 * always reported. Return: 0 or -errno.
 */
int loop_add(struct loop *loop, struct loop_file *file, int fd, uint32_t events,
	     loop_file_fn callback);
/** loop_modify() - change the events that @file waits for. Return: 0 or -errno. */
int loop_modify(struct loop_file *file, uint32_t events);
/** loop_remove() - stop watching; call before close(2). No-op if not registered. */
void loop_remove(struct loop_file *file);

/** loop_timer_set() - call @callback once at @at_usec; replaces an earlier setting */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_usec,
		   loop_timer_fn callback);
/** loop_timer_cancel() - disarm; no-op if not armed */
void loop_timer_cancel(struct loop_timer *timer);

/**
 * loop_signals() - receive @signals (0-terminated list) by signalfd
 *
 * Blocks them in the calling thread; children must unblock them again.
 */
int loop_signals(struct loop *loop, const int *signals, loop_signal_fn callback, void *userdata);

/**
 * loop_idle_set() - call @callback whenever no event is ready
 *
 * It should do one small piece of work per call. It is called repeatedly while no event is
 * ready, until it returns false; then again after the next event.
 */
void loop_idle_set(struct loop *loop, loop_idle_fn callback, void *userdata);

/** loop_run() - serve until loop_exit(); may be called again. Return: its code, or -errno. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);
/** loop_exiting() - was loop_exit() called? */
bool loop_exiting(const struct loop *loop);

/** now_usec() - CLOCK_MONOTONIC; wall_usec() - CLOCK_REALTIME since the epoch */
uint64_t now_usec(void);
uint64_t wall_usec(void);

#define USEC_PER_SEC 1000000ULL
#define USEC_PER_MSEC 1000ULL

#endif
