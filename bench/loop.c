/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define THREADS_MAX 64

/* ---- time ---- */

static double ns_per_tick;

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_ticks(void)
{
	return __rdtsc();
}

static void calibrate(void)
{
	uint64_t ns = now_ns(), ticks = __rdtsc();
	struct timespec rest = {.tv_nsec = 50000000};

	(void)nanosleep(&rest, NULL);
	ticks = __rdtsc() - ticks;
	ns_per_tick = (double)(now_ns() - ns) / (double)ticks;
}

uint64_t bench_ns(uint64_t ticks)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, calibrate);
	return (uint64_t)((double)ticks * ns_per_tick);
}

/* ---- the share of one thread ---- */

struct part {
	const struct bench_ops *ops;
	void *context;
	const struct bench_work *work;
	struct bench_sample *samples;
	unsigned count, parallel, first_slot;
	unsigned n_failed;
	bool broken;
	pthread_t thread;
	/* one for each start in flight; fd -1: free */
	struct pollfd files[BENCH_PARALLEL_MAX];
	uint64_t began[BENCH_PARALLEL_MAX];
	int pipes[BENCH_PARALLEL_MAX][2];
};

static int pipes_make(struct part *part)
{
	for (unsigned i = 0; i < part->parallel; i++) {
		part->files[i] = (struct pollfd){.fd = -1, .events = POLLIN};
		part->pipes[i][0] = part->pipes[i][1] = -1;
	}
	for (unsigned i = 0; i < part->parallel; i++) {
		if (pipe2(part->pipes[i], O_CLOEXEC) < 0 ||
		    fcntl(part->pipes[i][0], F_SETFL, O_NONBLOCK) < 0)
			return -1;
	}
	return 0;
}

static void pipes_close(struct part *part)
{
	for (unsigned i = 0; i < part->parallel; i++) {
		if (part->pipes[i][0] >= 0)
			(void)close(part->pipes[i][0]);
		if (part->pipes[i][1] >= 0)
			(void)close(part->pipes[i][1]);
	}
}

/* The time stamp that the command wrote; 0: none. */
static uint64_t stamp_read(int fd)
{
	char text[64] = "";
	ssize_t size = read(fd, text, sizeof(text) - 1);

	return size == 17 ? strtoull(text, NULL, 16) : 0;
}

/* Pause for @ns, after doing the contestant's idle work. */
static void pause_for(struct part *part, uint64_t ns)
{
	uint64_t until = now_ns() + ns, at = now_ns();
	struct timespec rest = {0};

	while (part->ops->idle && at < until && part->ops->idle(part->context))
		at = now_ns();
	at = now_ns();
	if (at < until)
		rest.tv_nsec = (long)(until - at);
	(void)nanosleep(&rest, NULL);
}

static void start_one(struct part *part, unsigned i)
{
	if (part->work->pause_us > 0)
		pause_for(part, (uint64_t)part->work->pause_us * 1000);
	part->began[i] = bench_ticks();
	if (part->ops->start(part->context, part->first_slot + i, part->pipes[i][1],
			     &part->files[i].fd) < 0)
		part->broken = true;
}

static void end_one(struct part *part, unsigned i, struct bench_sample *sample)
{
	bool good = part->ops->finish(part->context, part->first_slot + i) == 0;
	uint64_t end = bench_ticks(), stamp;

	part->files[i].fd = -1;
	stamp = stamp_read(part->pipes[i][0]);
	if (!good || stamp < part->began[i] || stamp > end) {
		part->n_failed++;
		*sample = (struct bench_sample){0};
		return;
	}
	sample->first = bench_ns(stamp - part->began[i]);
	sample->end = bench_ns(end - part->began[i]);
}

static int wait_for_any(struct part *part)
{
	int n = 0;

	while (part->ops->idle && n == 0) {
		n = poll(part->files, part->parallel, 0);
		if (n == 0 && !part->ops->idle(part->context))
			break;
	}
	if (n == 0)
		n = poll(part->files, part->parallel, -1);
	return n < 0 && errno != EINTR ? -1 : 0;
}

static void *part_main(void *argument)
{
	struct part *part = argument;
	unsigned n_started = 0, n_ended = 0;

	while (n_ended < part->count && !part->broken) {
		for (unsigned i = 0; i < part->parallel && n_started < part->count; i++) {
			if (part->files[i].fd >= 0)
				continue;
			start_one(part, i);
			if (part->broken)
				return NULL;
			n_started++;
		}
		if (wait_for_any(part) < 0)
			return NULL;
		for (unsigned i = 0; i < part->parallel; i++) {
			if (part->files[i].fd >= 0 && part->files[i].revents)
				end_one(part, i, &part->samples[n_ended++]);
		}
	}
	return NULL;
}

int bench_run(const struct bench_ops *ops, void *context, unsigned n_threads,
	      struct bench_work *work)
{
	static struct part parts[THREADS_MAX];
	unsigned n = n_threads < work->parallel ? n_threads : work->parallel;
	struct bench_sample *samples = work->samples;
	unsigned slot = 0;
	uint64_t began;
	int r = 0;

	if (work->count < n)
		n = work->count;
	if (n == 0 || n > THREADS_MAX || work->parallel > BENCH_PARALLEL_MAX)
		return -1;
	(void)bench_ns(0);
	for (unsigned i = 0; i < n; i++) {
		parts[i] = (struct part){
			.ops = ops,
			.context = context,
			.work = work,
			.samples = samples,
			.count = work->count / n + (i < work->count % n),
			.parallel = work->parallel / n + (i < work->parallel % n),
			.first_slot = slot,
		};
		samples += parts[i].count;
		slot += parts[i].parallel;
		if (pipes_make(&parts[i]) < 0)
			return -1;
	}
	began = bench_ticks();
	for (unsigned i = 1; i < n; i++) {
		if (pthread_create(&parts[i].thread, NULL, part_main, &parts[i]) != 0)
			return -1;
	}
	(void)part_main(&parts[0]);
	work->n_failed = 0;
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			(void)pthread_join(parts[i].thread, NULL);
		work->n_failed += parts[i].n_failed;
		if (parts[i].broken)
			r = -1;
	}
	work->wall_ns = bench_ns(bench_ticks() - began);
	for (unsigned i = 0; i < n; i++)
		pipes_close(&parts[i]);
	return r;
}

/* ---- the main() of contestants ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void bench_print_summary(const char *name, struct bench_work *work)
{
	uint64_t *first = calloc(work->count, sizeof(*first));
	uint64_t *end = calloc(work->count, sizeof(*end));
	unsigned n = 0;

	for (unsigned i = 0; first && end && i < work->count; i++) {
		if (work->samples[i].end == 0)
			continue;
		first[n] = work->samples[i].first;
		end[n++] = work->samples[i].end;
	}
	if (n > 0) {
		unsigned half = n / 2, last = n * 99 / 100;

		qsort(first, n, sizeof(*first), by_value);
		qsort(end, n, sizeof(*end), by_value);
		(void)printf("%-20s %3u at a time: first instruction %8.1f us (p99 %8.1f), "
			     "end %8.1f us (p99 %8.1f), %7.1f/s, %u failed\n",
			     name, work->parallel, (double)first[half] / 1e3,
			     (double)first[last] / 1e3, (double)end[half] / 1e3,
			     (double)end[last] / 1e3, (double)n * 1e9 / (double)work->wall_ns,
			     work->n_failed);
	}
	free(first);
	free(end);
}

static int serve(const struct bench_ops *ops, void *context, unsigned n_threads)
{
	struct bench_work work = {0};
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%u %u %u", &work.count, &work.parallel, &work.pause_us) != 3 ||
		    work.count == 0)
			return 2;
		free(work.samples);
		work.samples = calloc(work.count, sizeof(*work.samples));
		if (!work.samples || bench_run(ops, context, n_threads, &work) < 0)
			return 1;
		for (unsigned i = 0; i < work.count; i++)
			(void)printf("%llu %llu\n", (unsigned long long)work.samples[i].first,
				     (unsigned long long)work.samples[i].end);
		(void)printf("done %llu %u\n", (unsigned long long)work.wall_ns, work.n_failed);
		(void)fflush(stdout);
	}
	free(work.samples);
	return 0;
}

int bench_main(int argc, char **argv, const char *name, const char *letters,
	       int (*option)(void *context, int letter, const char *argument),
	       int (*prepare)(void *context), const struct bench_ops *ops, void *context)
{
	struct bench_work work = {.count = 200, .parallel = 1};
	unsigned n_threads = 1;
	bool serving = false;
	char all[64];
	int letter, r;

	(void)snprintf(all, sizeof(all), "n:j:p:t:s%s", letters);
	while ((letter = getopt(argc, argv, all)) != -1) {
		unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (letter == 'n')
			work.count = value;
		else if (letter == 'j')
			work.parallel = value;
		else if (letter == 'p')
			work.pause_us = value;
		else if (letter == 't')
			n_threads = value;
		else if (letter == 's')
			serving = true;
		else if (letter == '?' || option(context, letter, optarg) < 0)
			return 2;
	}
	if (work.count == 0 || prepare(context) < 0)
		return 1;
	if (serving)
		return serve(ops, context, n_threads);
	work.samples = calloc(work.count, sizeof(*work.samples));
	if (!work.samples)
		return 1;
	r = bench_run(ops, context, n_threads, &work);
	bench_print_summary(name, &work);
	free(work.samples);
	return r < 0 ? 1 : 0;
}
