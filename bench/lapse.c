/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times whole commands side by side: start to exit, as a parent sees it.
 *
 *   lapse [-n ROUNDS] [-j PARALLEL] :: NAME COMMAND... :: NAME COMMAND...
 *
 * Every round runs each command once, in turn, so that a machine whose speed
 * drifts slows all of them alike. Prints median, 99th percentile and the ratio
 * of medians to the first command. With -j, PARALLEL copies of one command run
 * at a time and starts per second are printed as well.
 */
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16

struct command {
	const char *name;
	char **argv;
	double *samples; /* milliseconds */
	size_t n_samples;
	unsigned n_failed;
	double busy; /* seconds, for starts per second */
};

static posix_spawn_file_actions_t quiet;

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static pid_t start(const struct command *command)
{
	extern char **environ;
	pid_t pid;
	int r = posix_spawnp(&pid, command->argv[0], &quiet, NULL, command->argv, environ);

	if (r != 0) {
		(void)fprintf(stderr, "lapse: %s: %s\n", command->argv[0], strerror(r));
		exit(2);
	}
	return pid;
}

static void round_of(struct command *command, unsigned parallel)
{
	struct {
		pid_t pid;
		double at;
	} running[256];
	double began = now();

	for (unsigned i = 0; i < parallel; i++) {
		running[i].at = now();
		running[i].pid = start(command);
	}
	for (unsigned left = parallel; left > 0; left--) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		for (unsigned i = 0; i < parallel; i++) {
			if (running[i].pid != pid)
				continue;
			command->samples[command->n_samples++] = (now() - running[i].at) * 1e3;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				command->n_failed++;
		}
	}
	command->busy += now() - began;
}

/* "::" starts a command: "--" belongs to the commands themselves */
static size_t commands_split(struct command *commands, int argc, char **argv, int from)
{
	size_t n = 0;

	for (int i = from; i < argc; i++) {
		if (strcmp(argv[i], "::") != 0)
			continue;
		argv[i] = NULL;
		if (i + 2 >= argc || n == COMMANDS_MAX)
			break;
		commands[n++] = (struct command){.name = argv[i + 1], .argv = argv + i + 2};
	}
	return n;
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX];
	unsigned rounds = 100, parallel = 1;
	size_t n;
	int option, sink;

	while ((option = getopt(argc, argv, "+n:j:")) != -1) {
		if (option == 'n')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'j')
			parallel = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	n = commands_split(commands, argc, argv, optind);
	if (n == 0 || rounds == 0 || parallel == 0 || parallel > 256) {
		(void)fprintf(
			stderr,
			"usage: lapse [-n ROUNDS] [-j PARALLEL] :: NAME COMMAND... [:: ...]\n");
		return 2;
	}
	(void)posix_spawn_file_actions_init(&quiet);
	/* not /dev/null: some peers give their standard streams to the container's root */
	sink = memfd_create("lapse", 0);
	if (sink < 0)
		return 1;
	(void)posix_spawn_file_actions_adddup2(&quiet, sink, 0);
	(void)posix_spawn_file_actions_adddup2(&quiet, sink, 1);
	if (!getenv("LAPSE_STDERR"))
		(void)posix_spawn_file_actions_adddup2(&quiet, sink, 2);
	for (size_t i = 0; i < n; i++) {
		commands[i].samples = calloc((size_t)(rounds + 2) * parallel, sizeof(double));
		if (!commands[i].samples)
			return 1;
		round_of(&commands[i], parallel); /* warm-up, not counted */
		commands[i].n_samples = 0;
		commands[i].n_failed = 0;
		commands[i].busy = 0;
	}
	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i++)
			round_of(&commands[i], parallel);
	}
	(void)printf("%-34s %10s %10s %8s %9s %7s\n", "", "median ms", "p99 ms", "ratio",
		     "starts/s", "failed");
	for (size_t i = 0; i < n; i++) {
		struct command *c = &commands[i];

		qsort(c->samples, c->n_samples, sizeof(double), by_value);
		(void)printf("%-34s %10.3f %10.3f %8.2f %9.0f %7u\n", c->name,
			     c->samples[c->n_samples / 2], c->samples[c->n_samples * 99 / 100],
			     c->samples[c->n_samples / 2] /
				     commands[0].samples[commands[0].n_samples / 2],
			     (double)c->n_samples / c->busy, c->n_failed);
	}
	return 0;
}
