/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost of a network with egress, made and freed, with links that end in a gateway (as those
 * of runbookd's steps do) and on the host; in turn, in one process.
 *
 *   network [-r ROUNDS] [-n COUNT]
 *
 * Processor time is that of this process. What the kernel does to remove a namespace is not in
 * it, but has to be waited for when it holds the lock that every change of a link takes, so it is
 * in the elapsed time. To be run by alone.sh, since it changes the network that it runs in.
 */
#include "sandbox/host_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define KINDS 2
#define OPEN_AT_ONCE 16
#define ROUNDS_MAX 100
#define PAUSE_USEC 300000 /* for the removal of what the other one left */

struct cost {
	double elapsed_ms, processor_ms; /* of one network */
};

static const char *const names[KINDS] = {"host", "gateway"};

static double clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int measure(struct host_network *network, unsigned count, struct cost *cost)
{
	const struct host_network_request request = {.kind = STEP_NETWORK_EGRESS};
	struct host_network_step steps[OPEN_AT_ONCE];
	double elapsed = clock_ms(CLOCK_MONOTONIC), processor = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	struct error error = ERROR_INIT;
	int r = 0;

	for (unsigned i = 0; i < OPEN_AT_ONCE; i++)
		steps[i] = HOST_NETWORK_STEP_NULL;
	for (unsigned i = 0; i < count && r == 0; i++) {
		struct host_network_step *step = &steps[i % OPEN_AT_ONCE];

		if (step->netns_fd >= 0)
			host_network_step_free(network, step);
		r = host_network_step_new(network, &request, step, &error);
	}
	cost->elapsed_ms = (clock_ms(CLOCK_MONOTONIC) - elapsed) / count;
	cost->processor_ms = (clock_ms(CLOCK_PROCESS_CPUTIME_ID) - processor) / count;
	for (unsigned i = 0; i < OPEN_AT_ONCE; i++) {
		if (steps[i].netns_fd >= 0)
			host_network_step_free(network, &steps[i]);
	}
	if (r < 0)
		(void)fprintf(stderr, "network: %s\n", error.text);
	return r;
}

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/* Print the median of the ratios within each round, and their range. */
static void print_ratio(const char *what, double *ratios, unsigned n)
{
	qsort(ratios, n, sizeof(*ratios), compare);
	(void)printf("gateway / host, %s: %.2f (%.2f to %.2f)\n", what, ratios[n / 2], ratios[0],
		     ratios[n - 1]);
}

static int rounds_run(struct host_network *networks[KINDS], unsigned rounds, unsigned count)
{
	double elapsed[ROUNDS_MAX], processor[ROUNDS_MAX];

	for (unsigned round = 0; round < rounds; round++) {
		struct cost costs[KINDS];

		for (unsigned i = 0; i < KINDS; i++) {
			unsigned kind = round % 2 ? KINDS - 1 - i : i;

			if (measure(networks[kind], count, &costs[kind]) < 0)
				return -1;
			(void)printf("%-8s %8.3f ms elapsed %8.3f ms of a processor\n", names[kind],
				     costs[kind].elapsed_ms, costs[kind].processor_ms);
			(void)usleep(PAUSE_USEC);
		}
		elapsed[round] = costs[1].elapsed_ms / costs[0].elapsed_ms;
		processor[round] = costs[1].processor_ms / costs[0].processor_ms;
	}
	print_ratio("elapsed", elapsed, rounds);
	print_ratio("processor", processor, rounds);
	return 0;
}

int main(int argc, char **argv)
{
	/* an address for documentation (RFC 5737), which never answers */
	static const char *const dns[] = {"192.0.2.53", NULL};
	struct host_network *networks[KINDS] = {NULL};
	struct error error = ERROR_INIT;
	unsigned rounds = 10, count = 100;
	int option, r = 0;

	while ((option = getopt(argc, argv, "r:n:")) != -1) {
		if (option == 'r')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			count = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (rounds == 0 || rounds > ROUNDS_MAX || count == 0)
		return 2;
	for (unsigned kind = 0; kind < KINDS && r == 0; kind++) {
		const struct host_network_options options = {.dns_servers = dns,
							     .gateway = kind == 1};

		r = host_network_new(&networks[kind], &options, &error);
		/* sets up egress, so that no round pays for it */
		if (r == 0 && !host_network_resolv(networks[kind], &error))
			r = -1;
	}
	if (r < 0)
		(void)fprintf(stderr, "network: %s\n", error.text);
	else
		r = rounds_run(networks, rounds, count);
	for (unsigned kind = 0; kind < KINDS; kind++)
		(void)host_network_free(networks[kind]);
	return r < 0;
}
