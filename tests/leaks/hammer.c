/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts sandboxes as runbookd does, many and several at once, and ends some of
 * them in every rude way there is. Says in the end what it holds itself; what is
 * left on the machine is looked at by whoever runs it.
 *
 *   hammer STATE_DIR INIT COUNT PARALLEL none|egress SEED
 */
#include "common/step_payload.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX 64
#define SETTLED 300 /* starts after which every cache is filled */
#define GROWTH_MAX_KB 4096
#define MARK "76543" /* seconds that only our sleeps sleep */

/* The commands, and how many of a hundred get them. */
static const struct kind {
	unsigned percent;
	const char *command;
	bool killed;	/* by us, some milliseconds later */
	bool must_fail; /* before it starts */
} kinds[] = {
	{60, "exit 0", false, false},
	{10, "setsid sleep " MARK " & exit 0", false, false},
	{10, "sleep " MARK, true, false},
	{10, "trap '' TERM INT HUP; (trap '' TERM; sleep " MARK ") & wait", true, false},
	{5, "kill -STOP $$", true, false},
	{5, "exit 0", false, true},
};

struct one {
	struct sandbox sandbox;
	const struct kind *kind;
	long long kill_msec; /* monotonic, 0: not to be killed */
	bool running;
};

struct hammer {
	struct sandbox_host *host;
	enum step_network network;
	struct one ones[PARALLEL_MAX];
	unsigned n_running;
	unsigned long n_started, n_finished, n_killed, n_refused, n_wrong;
};

static long long now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static const struct kind *kind_choose(void)
{
	unsigned at = (unsigned)rand() % 100;

	for (size_t i = 0;; i++) {
		if (at < kinds[i].percent)
			return &kinds[i];
		at -= kinds[i].percent;
	}
}

static void wrong(struct hammer *hammer, const char *what, const char *why)
{
	hammer->n_wrong++;
	(void)fprintf(stderr, "hammer: %s: %s\n", what, why);
}

static void start(struct hammer *hammer, struct one *one)
{
	static const struct sandbox_bind nowhere = {.source = "/nonexistent", .target = "/mnt/x"};
	struct error error = ERROR_INIT;
	char id[64];
	const struct kind *kind = kind_choose();
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)kind->command, NULL};
	char *envp[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
	int payload_fd = step_payload_new(argv, envp);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct sandbox_request request = {
		.id = id,
		.image = "host",
		.hostname = "hammer",
		.workdir = "/",
		.network = hammer->network,
		.binds = &nowhere,
		.n_binds = kind->must_fail ? 1 : 0,
		.payload_fd = payload_fd,
		.stdin_fd = -1,
		.stdout_fd = null_fd,
		.stderr_fd = null_fd,
	};
	int r;

	(void)snprintf(id, sizeof(id), "hammer-%d-%lu", (int)getpid(), hammer->n_started++);
	r = sandbox_start(hammer->host, &request, &one->sandbox, &error);
	(void)close(payload_fd);
	(void)close(null_fd);
	if (kind->must_fail) {
		hammer->n_refused++;
		if (r >= 0)
			wrong(hammer, id, "started although its bind is not there");
	} else if (r < 0) {
		wrong(hammer, id, error.text);
	}
	if (r < 0)
		return;
	one->kind = kind;
	one->running = true;
	one->kill_msec = kind->killed ? now_msec() + rand() % 20 : 0;
	hammer->n_running++;
}

static void finish(struct hammer *hammer, struct one *one)
{
	struct sandbox_outcome outcome;
	struct error error = ERROR_INIT;

	if (sandbox_finish(&one->sandbox, &outcome, &error) < 0)
		wrong(hammer, "cannot finish", error.text);
	else if (!one->kind->killed && (outcome.how != SANDBOX_EXITED || outcome.code != 0))
		wrong(hammer, one->kind->command, "did not succeed");
	one->running = false;
	hammer->n_running--;
	hammer->n_finished++;
}

/* By the front door, by the window, or not at all: finished while it runs. */
static void end_rudely(struct hammer *hammer, struct one *one)
{
	hammer->n_killed++;
	one->kill_msec = 0;
	switch (rand() % 3) {
	case 0:
		(void)sandbox_kill(&one->sandbox);
		break;
	case 1:
		(void)kill(one->sandbox.pid, SIGKILL);
		break;
	default:
		finish(hammer, one);
		break;
	}
}

static void turn(struct hammer *hammer, unsigned parallel)
{
	struct pollfd files[PARALLEL_MAX];
	long long now = now_msec();

	for (unsigned i = 0; i < parallel; i++) {
		struct one *one = &hammer->ones[i];

		if (one->running && one->kill_msec != 0 && one->kill_msec <= now)
			end_rudely(hammer, one);
		files[i] = (struct pollfd){.fd = one->running ? one->sandbox.status_fd : -1,
					   .events = POLLIN};
	}
	(void)poll(files, parallel, 1);
	for (unsigned i = 0; i < parallel; i++) {
		if (files[i].fd >= 0 && files[i].revents != 0)
			finish(hammer, &hammer->ones[i]);
	}
}

static void hammer_run(struct hammer *hammer, unsigned long count, unsigned parallel)
{
	unsigned long end = hammer->n_started + count;

	while (hammer->n_started < end || hammer->n_running > 0) {
		for (unsigned i = 0; i < parallel && hammer->n_started < end; i++) {
			if (!hammer->ones[i].running)
				start(hammer, &hammer->ones[i]);
		}
		turn(hammer, parallel);
	}
}

/*
 * But those of user namespaces: they are kept for each range of ids, and which
 * ranges are free depends on who else starts sandboxes on this machine.
 */
static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];
	unsigned n = 0;

	while (dir && (entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		n += length > 0 && strncmp(target, "user:", 5) != 0;
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	long kb = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
			break;
	}
	if (file)
		(void)fclose(file);
	return kb;
}

int main(int argc, char **argv)
{
	static struct hammer hammer;
	struct error error = ERROR_INIT;
	static const char *const dns[] = {"192.0.2.53", NULL};
	struct sandbox_host_options options = {.cgroup_name = "runbook-hammer",
					       .limits = SANDBOX_LIMITS_BEST_EFFORT,
					       .dns_servers = dns};
	unsigned before, after;
	unsigned parallel;
	long before_kb, after_kb;

	if (argc != 7 || atoi(argv[4]) < 1 || atoi(argv[4]) > PARALLEL_MAX) {
		(void)fprintf(stderr,
			      "usage: hammer STATE_DIR INIT COUNT PARALLEL none|egress SEED\n");
		return 2;
	}
	options.state_dir = argv[1];
	options.init_path = argv[2];
	parallel = (unsigned)atoi(argv[4]);
	hammer.network = strcmp(argv[5], "egress") == 0 ? STEP_NETWORK_EGRESS : STEP_NETWORK_NONE;
	srand((unsigned)atoi(argv[6]));
	if (sandbox_host_new(&hammer.host, &options, &error) < 0 ||
	    sandbox_host_sweep(hammer.host, &error) < 0) {
		(void)fprintf(stderr, "hammer: %s\n", error.text);
		return 1;
	}
	hammer_run(&hammer, SETTLED, parallel);
	before = descriptors();
	before_kb = resident_kb();
	hammer_run(&hammer, strtoul(argv[3], NULL, 10), parallel);
	after = descriptors();
	after_kb = resident_kb();
	(void)sandbox_host_free(hammer.host);
	(void)printf("started %lu killed %lu refused %lu wrong %lu descriptors %u %u resident %ld "
		     "%ld kB\n",
		     hammer.n_started, hammer.n_killed, hammer.n_refused, hammer.n_wrong, before,
		     after, before_kb, after_kb);
	if (after != before)
		wrong(&hammer, "descriptors", "not as many as before");
	if (after_kb > before_kb + GROWTH_MAX_KB)
		wrong(&hammer, "memory", "grows");
	return hammer.n_wrong > 0;
}
