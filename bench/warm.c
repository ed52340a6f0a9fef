/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox library as runbookd uses it: the host is prepared once, then sandboxes are started.
 * Each is like that of a step: image "host", an empty workspace, and one bind, with probe.c's
 * program.
 *
 *   warm [-n COUNT] [-j PARALLEL] [-p PAUSE_US] [-N none|egress|egress-direct] [-S STATE_DIR] PROBE
 *
 * With egress the links of the sandboxes end in a gateway, as those of runbookd's steps do; with
 * egress-direct they end on the host.
 *
 * Network egress changes the host (forwarding, an nftables table), so start.sh runs it in a
 * network namespace of its own.
 */
#include "bench/loop.h"
#include "common/limits.h"
#include "common/step_payload.h"
#include "sandbox/sandbox.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct warm {
	const char *probe;
	const char *state_dir;
	enum step_network network;
	bool direct; /* without a gateway */
	char init_path[PATH_MAX];
	struct sandbox_host *host;
	struct sandbox sandboxes[BENCH_PARALLEL_MAX];
	struct sandbox_bind bind;
	unsigned long n_started;
	int payload_fd;
};

static int complain(const char *what, const struct error *error)
{
	(void)fprintf(stderr, "warm: %s: %s\n", what, error->text);
	return -1;
}

static int warm_start(void *context, unsigned slot, int stdout_fd, int *ret_end_fd)
{
	struct warm *warm = context;
	struct error error = ERROR_INIT;
	char id[64];
	struct sandbox_request request = {
		.id = id,
		.image = "host",
		.hostname = "bench",
		.workdir = "/",
		.binds = &warm->bind,
		.n_binds = 1,
		.network = warm->network,
		.payload_fd = warm->payload_fd,
		.stdin_fd = -1,
		.stdout_fd = stdout_fd,
		.stderr_fd = stdout_fd,
	};

	(void)snprintf(id, sizeof(id), "bench-%d-%lu", (int)getpid(), warm->n_started++);
	if (sandbox_start(warm->host, &request, &warm->sandboxes[slot], &error) < 0)
		return complain("cannot start", &error);
	*ret_end_fd = warm->sandboxes[slot].status_fd;
	return 0;
}

static int warm_finish(void *context, unsigned slot)
{
	struct warm *warm = context;
	struct sandbox_outcome outcome;
	struct error error = ERROR_INIT;

	if (sandbox_finish(&warm->sandboxes[slot], &outcome, &error) < 0)
		return complain("cannot finish", &error);
	return outcome.how == SANDBOX_EXITED && outcome.code == 0 ? 0 : -1;
}

static bool warm_idle(void *context)
{
	struct warm *warm = context;

	return sandbox_host_idle(warm->host);
}

static int warm_option(void *context, int letter, const char *argument)
{
	struct warm *warm = context;

	if (letter == 'S') {
		warm->state_dir = argument;
		return 0;
	}
	warm->direct = strcmp(argument, "egress-direct") == 0;
	if (strcmp(argument, "egress") == 0 || warm->direct)
		warm->network = STEP_NETWORK_EGRESS;
	else if (strcmp(argument, "none") != 0)
		return -1;
	return 0;
}

/* The path of runbook-init: this program is build/bench/warm, that one is in build/bin. */
static int init_find(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (length < 0)
		return -1;
	path[length] = '\0';
	slash = strstr(path, "/bench/warm");
	if (!slash)
		return -1;
	(void)snprintf(slash, size - (size_t)(slash - path), "/bin/runbook-init");
	return access(path, R_OK);
}

static int warm_prepare(void *context)
{
	struct warm *warm = context;
	struct error error = ERROR_INIT;
	char command[] = "/bench/probe";
	char *argv[] = {command, NULL}, *envp[] = {(char[]){"HOME=/workspace"}, NULL};
	/* an address for documentation (RFC 5737), which never answers */
	static const char *const dns[] = {"192.0.2.53", NULL};
	struct sandbox_host_options options = {
		.state_dir = warm->state_dir,
		.init_path = warm->init_path,
		.cgroup_name = "runbook-bench",
		.limits = SANDBOX_LIMITS_BEST_EFFORT,
		.dns_servers = dns,
		.network_pool = NETWORK_POOL_DEFAULT,
		.gateway = warm->network == STEP_NETWORK_EGRESS && !warm->direct,
		.parallel = 64,
	};

	if (init_find(warm->init_path, sizeof(warm->init_path)) < 0) {
		(void)fprintf(stderr, "warm: no runbook-init beside it: make programs\n");
		return -1;
	}
	warm->bind = (struct sandbox_bind){.source = warm->probe, .target = "/bench/probe"};
	warm->payload_fd = step_payload_new(argv, envp);
	if (warm->payload_fd < 0)
		return -1;
	if (sandbox_host_new(&warm->host, &options, &error) < 0)
		return complain("cannot prepare", &error);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct bench_ops ops = {
		.start = warm_start, .finish = warm_finish, .idle = warm_idle};
	static struct warm warm = {.network = STEP_NETWORK_NONE};
	int r;

	if (argc < 2) {
		(void)fprintf(stderr, "usage: warm [OPTIONS] PROBE\n");
		return 2;
	}
	warm.probe = realpath(argv[argc - 1], NULL);
	if (!warm.probe) {
		perror(argv[argc - 1]);
		return 2;
	}
	r = bench_main(argc, argv, "warm", "N:S:", warm_option, warm_prepare, &ops, &warm);
	(void)sandbox_host_free(warm.host);
	return r;
}
