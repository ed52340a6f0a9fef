/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

/*
 * DOC: One way of measuring for all
 *
 * A contestant says how to start probe.c in its kind of sandbox and how to clean
 * up after it. The loop keeps a given number of them running (a new one starts
 * when one has ended) and takes two times of each, both since start() was called:
 *
 *   first  the first instruction of the command, by its own word
 *   end    it has ended and everything that finish() does is done
 *
 * Times are counted by the processor's time stamp counter.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PARALLEL_MAX 256

/**
 * struct bench_ops - a contestant
 * @start:  start one in @slot (0 … parallel - 1, none twice at a time), its
 *          standard output on @stdout_fd; @ret_end_fd becomes readable at its end.
 *          Return: 0, or -1 with a message on standard error.
 * @finish: clean up; @ret_end_fd is no longer looked at. Return: 0 when it ended well.
 * @idle:   NULL, or a small piece of work for when nothing else is to be done.
 *          Return: whether there is more.
 */
struct bench_ops {
	int (*start)(void *context, unsigned slot, int stdout_fd, int *ret_end_fd);
	int (*finish)(void *context, unsigned slot);
	bool (*idle)(void *context);
};

/** struct bench_sample - nanoseconds */
struct bench_sample {
	uint64_t first, end;
};

/**
 * struct bench_work - what is asked for, and what came out
 * @pause_us: rest between two, so that what works in the background can keep up
 * @samples:  room for @count
 */
struct bench_work {
	unsigned count, parallel, pause_us;
	struct bench_sample *samples;
	unsigned n_failed;
	uint64_t wall_ns;
};

/** bench_ticks() - now */
uint64_t bench_ticks(void);
/** bench_ns() - @ticks as nanoseconds */
uint64_t bench_ns(uint64_t ticks);

/**
 * bench_run() - do it, by @n_threads threads that share the work
 *
 * Return: 0 or -1.
 */
int bench_run(const struct bench_ops *ops, void *context, unsigned n_threads,
	      struct bench_work *work);

/** bench_print_summary() - one line for people: medians and 99th percentiles */
void bench_print_summary(const char *name, struct bench_work *work);

/**
 * bench_main() - a contestant as a program
 *
 * Options that it takes itself: -n COUNT -j PARALLEL -p PAUSE_US -t THREADS -s
 * With -s it serves start.c: reads lines "COUNT PARALLEL PAUSE_US" and answers
 * each with "FIRST END" for every start and "done WALL FAILED", all nanoseconds.
 * Other options go to @option with their argument, those in @letters.
 */
int bench_main(int argc, char **argv, const char *name, const char *letters,
	       int (*option)(void *context, int letter, const char *argument),
	       int (*prepare)(void *context), const struct bench_ops *ops, void *context);

#endif
