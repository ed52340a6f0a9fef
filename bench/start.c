/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs contestants in turn and records their times.
 *
 *   start [-r ROUNDS] [-T SECONDS | -n COUNT] [-l PARALLEL[:PAUSE_US]]... -o FILE
 *         :: NAME FLAGS COMMAND... [:: NAME FLAGS COMMAND...]...
 *
 * A contestant is a command that is started anew for each sandbox (flag "c"), or a server (flag
 * "s": see bench_main() in loop.h). @ID@ in an argument is replaced by a unique name. More
 * flags: "f": the argument after the flags is a FILE, opened as descriptor 9; "2": at most two
 * at a time (a start that takes a tenth of a second need not be measured at 64).
 *
 * In each round every contestant works for about SECONDS on every level. Rounds go forwards and
 * backwards in turn, so that a drift of the machine's speed affects all alike. A contestant that
 * fails in its warm-up is left out, and the last line of its output is recorded. report.py
 * describes the columns of FILE.
 */
#include "bench/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTESTANTS_MAX 32
#define LEVELS_MAX 8
#define ARGUMENTS_MAX 128
#define COUNT_MAX 4000u
#define FILTER_FD 9

struct level {
	unsigned parallel, pause_us;
};

struct contestant {
	const char *name, *flags, *file;
	char **argv;
	bool serves, out;
	/* a server: its process and the pipes to it */
	pid_t pid;
	FILE *to, *from;
	/* a command that is started anew */
	pid_t pids[BENCH_PARALLEL_MAX];
	int pidfds[BENCH_PARALLEL_MAX];
	char *changed[ARGUMENTS_MAX]; /* argv with @ID@ filled in */
	int stderr_fd, stdin_fd;
	double each_sec; /* estimated seconds of a start */
};

extern char **environ;
static FILE *out;
static double seconds = 0.5;
static unsigned fixed_count; /* 0: as many starts as take the given seconds */

static void fatal(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- commands that are started anew ---- */

static char *fill_id(const char *argument)
{
	static unsigned long n;
	const char *at = strstr(argument, "@ID@");
	char *filled = NULL;

	if (!at)
		return NULL;
	if (asprintf(&filled, "%.*srb%d-%lu%s", (int)(at - argument), argument, (int)getpid(), n++,
		     at + 4) < 0)
		fatal("asprintf");
	return filled;
}

static int command_start(void *context, unsigned slot, int stdout_fd, int *ret_end_fd)
{
	struct contestant *contestant = context;
	posix_spawn_file_actions_t actions;
	char *filled[ARGUMENTS_MAX] = {NULL};
	int r;

	for (unsigned i = 0; i < ARGUMENTS_MAX - 1 && contestant->argv[i]; i++) {
		filled[i] = fill_id(contestant->argv[i]);
		contestant->changed[i] = filled[i] ? filled[i] : contestant->argv[i];
		contestant->changed[i + 1] = NULL;
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, contestant->stdin_fd, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
	(void)posix_spawn_file_actions_adddup2(&actions, contestant->stderr_fd, 2);
	if (contestant->file)
		(void)posix_spawn_file_actions_addopen(&actions, FILTER_FD, contestant->file,
						       O_RDONLY, 0);
	r = posix_spawnp(&contestant->pids[slot], contestant->changed[0], &actions, NULL,
			 contestant->changed, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	for (unsigned i = 0; i < ARGUMENTS_MAX; i++)
		free(filled[i]);
	if (r == 0)
		contestant->pidfds[slot] = pidfd_open(contestant->pids[slot], 0);
	if (r != 0 || contestant->pidfds[slot] < 0) {
		(void)dprintf(contestant->stderr_fd, "%s\n", strerror(r ? r : errno));
		return -1;
	}
	*ret_end_fd = contestant->pidfds[slot];
	return 0;
}

static int command_finish(void *context, unsigned slot)
{
	struct contestant *contestant = context;
	int status = 0;

	while (waitpid(contestant->pids[slot], &status, 0) < 0 && errno == EINTR)
		;
	(void)close(contestant->pidfds[slot]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- servers ---- */

static int server_start(struct contestant *contestant)
{
	posix_spawn_file_actions_t actions;
	int to[2], from[2], r;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		fatal("pipe");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	(void)posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	(void)posix_spawn_file_actions_adddup2(&actions, contestant->stderr_fd, 2);
	r = posix_spawnp(&contestant->pid, contestant->argv[0], &actions, NULL, contestant->argv,
			 environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(to[0]);
	(void)close(from[1]);
	if (r != 0) {
		(void)dprintf(contestant->stderr_fd, "%s\n", strerror(r));
		return -1;
	}
	contestant->to = fdopen(to[1], "w");
	contestant->from = fdopen(from[0], "r");
	return contestant->to && contestant->from ? 0 : -1;
}

static void server_end(struct contestant *contestant)
{
	if (contestant->to)
		(void)fclose(contestant->to);
	if (contestant->from)
		(void)fclose(contestant->from);
	contestant->to = contestant->from = NULL;
	if (contestant->pid > 0)
		(void)waitpid(contestant->pid, NULL, 0);
	contestant->pid = 0;
}

static int server_ask(struct contestant *contestant, struct bench_work *work)
{
	unsigned long long a, b;
	char line[128];
	unsigned n = 0;

	(void)fprintf(contestant->to, "%u %u %u\n", work->count, work->parallel, work->pause_us);
	(void)fflush(contestant->to);
	while (fgets(line, sizeof(line), contestant->from)) {
		if (sscanf(line, "done %llu %llu", &a, &b) == 2) {
			work->wall_ns = a;
			work->n_failed = (unsigned)b;
			return n == work->count ? 0 : -1;
		}
		if (n == work->count || sscanf(line, "%llu %llu", &a, &b) != 2)
			return -1;
		work->samples[n++] = (struct bench_sample){a, b};
	}
	return -1;
}

/* ---- rounds ---- */

static int contestant_run(struct contestant *contestant, struct bench_work *work)
{
	static const struct bench_ops ops = {.start = command_start, .finish = command_finish};

	work->samples = calloc(work->count, sizeof(*work->samples));
	if (!work->samples)
		fatal("calloc");
	if (contestant->serves)
		return server_ask(contestant, work);
	return bench_run(&ops, contestant, 1, work);
}

/* Record the last line of its output as the reason why it is left out. */
static void explain(struct contestant *contestant)
{
	char text[4096];
	off_t end = lseek(contestant->stderr_fd, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t size = pread(contestant->stderr_fd, text, sizeof(text) - 1, from);
	char *line;

	text[size < 0 ? 0 : size] = '\0';
	while (size > 0 && text[size - 1] == '\n')
		text[--size] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	for (char *byte = line; *byte; byte++) {
		if (*byte == '\t')
			*byte = ' ';
	}
	(void)fprintf(out, "failed\t%s\t%s\n", contestant->name,
		      *line ? line : "it ended without a word");
	(void)fprintf(stderr, "start: %s fails and is left out: %s\n", contestant->name, line);
	contestant->out = true;
}

/* Run twice: the first time may create lasting things, the second gives an estimate of the time. */
static void warm_up(struct contestant *contestant)
{
	if (contestant->serves && server_start(contestant) < 0) {
		explain(contestant);
		return;
	}
	for (int i = 0; i < 2 && !contestant->out; i++) {
		struct bench_work work = {.count = 12, .parallel = 2};

		if (contestant_run(contestant, &work) < 0 || work.n_failed > 0)
			explain(contestant);
		contestant->each_sec = (double)work.wall_ns / 1e9 / work.count;
		free(work.samples);
	}
}

static void measure(struct contestant *contestant, const struct level *level, unsigned round)
{
	struct bench_work work = {.parallel = level->parallel, .pause_us = level->pause_us};
	double each = contestant->each_sec * (level->parallel == 1 ? 2 : 1) + level->pause_us / 1e6;

	if (contestant->out || (strchr(contestant->flags, '2') && level->parallel > 2))
		return;
	work.count = (unsigned)(seconds / each) + 1;
	/* so many that the first and the last starts, with fewer in flight, have little weight */
	if (work.count < 3 * level->parallel)
		work.count = 3 * level->parallel;
	if (work.count > COUNT_MAX)
		work.count = COUNT_MAX;
	if (fixed_count > 0)
		work.count = fixed_count;
	if (contestant_run(contestant, &work) < 0) {
		explain(contestant);
		free(work.samples);
		return;
	}
	(void)fprintf(out, "round\t%s\t%u\t%u\t%u\t%u\t%u\t%llu\n", contestant->name, round,
		      level->parallel, level->pause_us, work.count, work.n_failed,
		      (unsigned long long)work.wall_ns);
	for (unsigned i = 0; i < work.count; i++) {
		if (work.samples[i].end != 0)
			(void)fprintf(out, "%llu\t%llu\n",
				      (unsigned long long)work.samples[i].first,
				      (unsigned long long)work.samples[i].end);
	}
	free(work.samples);
}

/* "::" separates contestants, since "--" belongs to the commands. */
static unsigned contestants_split(struct contestant *contestants, int argc, char **argv, int from)
{
	unsigned n = 0;

	for (int i = from; i < argc; i++) {
		struct contestant *contestant = &contestants[n];
		int at = i + 3;

		if (strcmp(argv[i], "::") != 0)
			continue;
		argv[i] = NULL;
		if (i + 3 >= argc || n == CONTESTANTS_MAX)
			break;
		contestant->name = argv[i + 1];
		contestant->flags = argv[i + 2];
		contestant->serves = strchr(contestant->flags, 's') != NULL;
		if (strchr(contestant->flags, 'f'))
			contestant->file = argv[at++];
		contestant->argv = argv + at;
		n++;
	}
	return n;
}

static void contestant_prepare(struct contestant *contestant, const char *empty)
{
	/* files of our own, as some tools chown their standard streams to the container's root */
	contestant->stderr_fd = memfd_create("stderr", MFD_CLOEXEC);
	contestant->stdin_fd = open(empty, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (contestant->stderr_fd < 0 || contestant->stdin_fd < 0)
		fatal("prepare");
}

int main(int argc, char **argv)
{
	static struct contestant contestants[CONTESTANTS_MAX];
	struct level levels[LEVELS_MAX];
	unsigned rounds = 6, n_levels = 0, n;
	const char *path = NULL;
	char empty[4096];
	int option;

	while ((option = getopt(argc, argv, "+r:T:n:l:o:")) != -1) {
		if (option == 'r')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'T')
			seconds = strtod(optarg, NULL);
		else if (option == 'n')
			fixed_count = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'o')
			path = optarg;
		else if (option == 'l' && n_levels < LEVELS_MAX) {
			levels[n_levels].pause_us = 0;
			if (sscanf(optarg, "%u:%u", &levels[n_levels].parallel,
				   &levels[n_levels].pause_us) < 1)
				return 2;
			n_levels++;
		} else
			return 2;
	}
	n = contestants_split(contestants, argc, argv, optind);
	if (n == 0 || !path || n_levels == 0) {
		(void)fprintf(stderr, "usage: start [-r ROUNDS] [-T SECONDS | -n COUNT] -l "
				      "PARALLEL[:PAUSE_US]... "
				      "-o FILE :: NAME FLAGS COMMAND... [:: ...]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	out = fopen(path, "we");
	if (!out)
		fatal(path);
	(void)snprintf(empty, sizeof(empty), "%s.empty", path);
	for (unsigned i = 0; i < n; i++) {
		contestant_prepare(&contestants[i], empty);
		warm_up(&contestants[i]);
	}
	for (unsigned round = 0; round < rounds; round++) {
		(void)fprintf(stderr, "round %u of %u\n", round + 1, rounds);
		for (unsigned l = 0; l < n_levels; l++) {
			for (unsigned i = 0; i < n; i++)
				measure(&contestants[round % 2 ? n - 1 - i : i], &levels[l], round);
		}
	}
	for (unsigned i = 0; i < n; i++)
		server_end(&contestants[i]);
	(void)unlink(empty);
	return fclose(out) == 0 ? 0 : 1;
}
