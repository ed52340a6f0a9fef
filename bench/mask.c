/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mask [-r ROUNDS] [-m MEGABYTES] [-d DIR]: measures the cost of masking. A process writes text
 * into a pipe; runbookd's own log pump copies it to a file (in memory, or in DIR), without
 * secrets and with 1, 10, 100 and 1,000 of them in turn. Ratios are computed within a round, and
 * the table has their medians. The processor time is that of the pump alone, which is
 * meaningful on a busy machine as well.
 */
#include "daemon/mask.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "daemon/fd_store.h"
#include "daemon/log_pump.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define SECRETS_MAX 1000
#define SECRET_SIZE 64
#define TEXT_SIZE (8 * MIB)
#define ROUNDS_MAX 64

/* ---- material ---- */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static char secrets[SECRETS_MAX + 1][SECRET_SIZE];
static size_t secret_sizes[SECRETS_MAX + 1];

static uint64_t random_next(void)
{
	static uint64_t seed = 88172645463325252ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void random_letters(char *out, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = letters[random_next() % (sizeof(letters) - 1)];
}

/* Passwords and tokens of 8 to 63 characters, and one of the minimum length. */
static void make_secrets(void)
{
	for (size_t i = 0; i < SECRETS_MAX; i++) {
		secret_sizes[i] = 8 + random_next() % (SECRET_SIZE - 8);
		random_letters(secrets[i], secret_sizes[i]);
	}
	secret_sizes[SECRETS_MAX] = 4;
	memcpy(secrets[SECRETS_MAX], "k7Qz", 4);
}

static struct mask *make_mask(size_t first, size_t n)
{
	static struct step_mask_value values[SECRETS_MAX + 1];
	struct error error = ERROR_INIT;
	struct mask *mask = NULL;

	for (size_t i = 0; i < n; i++)
		values[i] = (struct step_mask_value){secrets[first + i], secret_sizes[first + i]};
	if (mask_new(values, n, &mask, &error) < 0) {
		(void)fprintf(stderr, "mask: %s\n", error.text);
		exit(1);
	}
	return mask;
}

/* Fill @text with lines such as compilers and test runners print. */
static void fill_log(char *text, size_t size)
{
	static const char *const words[] = {
		"compiling",
		"src/core/session.c",
		"warning:",
		"unused variable",
		"[ 42%]",
		"ok",
		"Downloading",
		"test_io",
		"2026-11-22T12:00:00Z",
		"/usr/lib/x86_64-linux-gnu",
		"--verbose",
		"passed in 0.013s",
		"linking",
		"https://example.org/packages/",
	};
	size_t used = 0;

	while (used + 64 < size) {
		const char *word = words[random_next() % ARRAY_SIZE(words)];

		used += (size_t)snprintf(text + used, size - used, "%s%c", word,
					 random_next() % 9 ? ' ' : '\n');
	}
	memset(text + used, '\n', size - used);
}

static void fill_random(char *text, size_t size)
{
	random_letters(text, size);
	for (size_t i = 99; i < size; i += 100)
		text[i] = '\n';
}

/* Fill @text with beginnings of secrets: each has to be compared up to its last byte. */
static void fill_near(char *text, size_t size)
{
	size_t used = 0;

	while (used + SECRET_SIZE < size) {
		size_t i = random_next() % SECRETS_MAX;
		size_t n = secret_sizes[i] > MASK_PIECE_MAX ? MASK_PIECE_MAX / 2 : secret_sizes[i];

		memcpy(text + used, secrets[i], n - 1);
		used += n - 1;
	}
	memset(text + used, '.', size - used);
}

/* ---- one measurement ---- */

struct carrier {
	struct loop *loop;
	struct log_result result;
};

static void carried(void *userdata, const struct log_result *result)
{
	struct carrier *carrier = userdata;

	carrier->result = *result;
	loop_exit(carrier->loop, 0);
}

static void produce(int fd, const char *text, size_t write_size, size_t total)
{
	size_t at = 0;

	for (size_t left = total; left > 0;) {
		size_t n = left < write_size ? left : write_size;

		if (at + n > TEXT_SIZE)
			at = 0;
		if (write(fd, text + at, n) != (ssize_t)n)
			_exit(1);
		at += n;
		left -= n;
	}
	_exit(0);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int open_file(const char *directory)
{
	return directory ? open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
			 : memfd_create("log", MFD_CLOEXEC);
}

static double cpu_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/** struct rate - MB/s of wall-clock time, and of the pump's processor time */
struct rate {
	double wall, cpu;
};

static struct rate measure(const char *directory, const char *text, size_t write_size, size_t total,
			   struct mask *mask, bool keep)
{
	static struct log_kept kept;
	struct carrier carrier = {.loop = NULL};
	struct error error = ERROR_INIT;
	struct log_pump *pump;
	struct log_sink *sink;
	int out[2], err[2], status;
	double began, cpu, seconds;
	pid_t pid;

	if (loop_new(&carrier.loop) < 0 ||
	    log_pump_new(carrier.loop, IO_ENGINE_AUTO, &pump, &error) < 0 ||
	    pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    fcntl(out[0], F_SETPIPE_SZ, (int)LOG_PIPE_SIZE) < 0 ||
	    log_pump_open(pump, open_file(directory), open_file(directory), out[0], err[0], 0,
			  carried, &carrier, &sink, &error) < 0) {
		(void)fprintf(stderr, "mask: cannot begin: %s\n", error.text);
		exit(1);
	}
	log_sink_mask(sink, mask);
	kept = (struct log_kept){.admitted = 0};
	if (keep) {
		if (log_pump_persist(pump, fd_store_inherit(&status)) < 0)
			exit(1);
		log_pump_settle(pump);
		log_sink_persist(sink, 1, &kept);
	}
	began = now();
	pid = fork();
	if (pid == 0)
		produce(out[1], text, write_size, total);
	(void)close(out[1]);
	(void)close(err[1]);
	cpu = cpu_now();
	(void)loop_run(carrier.loop);
	cpu = cpu_now() - cpu;
	seconds = now() - began;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || carrier.result.lost > 0) {
		(void)fprintf(stderr, "mask: output was lost\n");
		exit(1);
	}
	(void)log_pump_free(pump);
	(void)loop_free(carrier.loop);
	return (struct rate){(double)total / 1e6 / seconds, (double)total / 1e6 / cpu};
}

/* ---- tables ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

static struct {
	const char *name;
	size_t first, n;
	struct mask *mask;
	bool keep; /* the pump's buffers outlive the process, as in runbookd */
} sets[] = {
	{"none", 0, 0, NULL, false},
	{"none again", 0, 0, NULL, false},
	{"none, kept", 0, 0, NULL, true},
	{"10, kept", 0, 10, NULL, true},
	{"1", 0, 1, NULL, false},
	{"10", 0, 10, NULL, false},
	{"100", 0, 100, NULL, false},
	{"1,000", 0, 1000, NULL, false},
	{"10 and one of 4 bytes", SECRETS_MAX - 10, 11, NULL, false},
	{"1,000 and one of 4 bytes", 0, SECRETS_MAX + 1, NULL, false},
};

static void build_sets(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		double began = now();

		if (sets[i].n == 0)
			continue;
		sets[i].mask = make_mask(sets[i].first, sets[i].n);
		(void)printf("%-26s %8zu pieces, made in %8.3f ms\n", sets[i].name,
			     mask_pieces(sets[i].mask), (now() - began) * 1e3);
	}
}

static void table(const char *directory, const char *name, const char *text, size_t write_size,
		  size_t total, unsigned rounds)
{
	static double wall[ARRAY_SIZE(sets)][ROUNDS_MAX], cpu[ARRAY_SIZE(sets)][ROUNDS_MAX];
	static double walls[ARRAY_SIZE(sets)][ROUNDS_MAX], cpus[ARRAY_SIZE(sets)][ROUNDS_MAX];

	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
			struct rate rate = measure(directory, text, write_size, total, sets[i].mask,
						   sets[i].keep);

			wall[i][round] = rate.wall;
			cpu[i][round] = rate.cpu;
			walls[i][round] = rate.wall / wall[0][round];
			cpus[i][round] = rate.cpu / cpu[0][round];
		}
	}
	(void)printf("\n%s, %zu bytes a write\n%-26s %10s %10s %16s %10s\n", name, write_size,
		     "secrets", "MB/s", "of none", "MB/s of cpu time", "of none");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		(void)printf("%-26s %10.0f %10.2f %16.0f %10.2f\n", sets[i].name,
			     median(wall[i], rounds), median(walls[i], rounds),
			     median(cpu[i], rounds), median(cpus[i], rounds));
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fill)(char *text, size_t size);
	} texts[] = {
		{"log lines", fill_log},
		{"random letters", fill_random},
		{"beginnings of the secrets", fill_near},
	};
	const char *directory = NULL;
	size_t megabytes = 400;
	unsigned rounds = 7;
	int option;
	char *text;

	while ((option = getopt(argc, argv, "r:m:d:")) != -1) {
		if (option == 'r')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'm')
			megabytes = strtoul(optarg, NULL, 10);
		else if (option == 'd')
			directory = optarg;
		else
			return 2;
	}
	if (rounds == 0 || rounds > ROUNDS_MAX || megabytes == 0)
		return 2;
	text = mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return 1;
	make_secrets();
	build_sets();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		texts[i].fill(text, TEXT_SIZE);
		table(directory, texts[i].name, text, 65536, megabytes * 1000000, rounds);
		table(directory, texts[i].name, text, 100, megabytes * 250000, rounds);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		(void)mask_unref(sets[i].mask);
	return 0;
}
