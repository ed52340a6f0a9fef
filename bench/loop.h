/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

/*
 * DOC: The measuring loop
 *
 * All contestants are measured by this loop. A contestant starts probe.c in its kind of sandbox
 * and cleans up after it. The loop keeps a given number of starts in flight (a new one begins
 * when one has ended) and measures two times of each, both from the call of start():
 *
 *   first  until the first instruction of the command, which the command reports itself
 *   end    until the sandbox has ended and finish() has returned
 *
 * Times are those of the processor's time stamp counter.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PARALLEL_MAX 256

/**
 * struct bench_ops - a contestant
 * @start:  start a sandbox in free @slot (0 … parallel - 1), with standard output on
 *          @stdout_fd; @ret_end_fd becomes readable at its end.
 *          Return: 0, or -1 with a message on standard error.
 * @finish: clean up; the loop has stopped polling @ret_end_fd. Return: 0 after success.
 * @idle:   NULL, or a small piece of work to do while nothing else is due.
 *          Return: is there more?
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
 * struct bench_work - parameters and results of bench_run()
 * @pause_us: pause between two starts, so that background work can keep up
 * @samples:  room for @count, filled
 */
struct bench_work {
	unsigned count, parallel, pause_us;
	struct bench_sample *samples;
	unsigned n_failed;
	uint64_t wall_ns;
};

/** bench_ticks() - the time stamp counter now */
uint64_t bench_ticks(void);
/** bench_ns() - convert @ticks to nanoseconds */
uint64_t bench_ns(uint64_t ticks);

/**
 * bench_run() - do @work, shared by @n_threads threads
 *
 * Return: 0 or -1.
 */
int bench_run(const struct bench_ops *ops, void *context, unsigned n_threads,
	      struct bench_work *work);

/** bench_print_summary() - one line for people: medians and 99th percentiles */
void bench_print_summary(const char *name, struct bench_work *work);

/**
 * bench_main() - main() of a contestant that is a program
 *
 * It handles the options -n COUNT -j PARALLEL -p PAUSE_US -t THREADS -s. With -s it serves
 * start.c: it reads lines "COUNT PARALLEL PAUSE_US" and replies to each with "FIRST END" for
 * every start and "done WALL FAILED", all in nanoseconds. @option gets further options, those
 * in @letters, with their arguments.
 */
int bench_main(int argc, char **argv, const char *name, const char *letters,
	       int (*option)(void *context, int letter, const char *argument),
	       int (*prepare)(void *context), const struct bench_ops *ops, void *context);

#endif
