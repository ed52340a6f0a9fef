/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/sandboxes.h"

#include "common/cleanup.h"
#include "common/firewall.h"
#include "common/log.h"
#include "daemon/adopt.h"
#include "daemon/daemon.h"
#include "daemon/program_path.h"
#include "daemon/step_persist.h"

#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>

/* A name for each root, so that two instances do not sweep each other's steps. */
static void cgroup_name(const struct paths *paths, char *out, size_t size)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *at = paths->root; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	if (paths->root[0] == '\0')
		(void)snprintf(out, size, "runbookd-steps");
	else
		(void)snprintf(out, size, "runbookd-steps-%08x", hash);
}

/* As in the scheduler, MaxRunning=0 means one step for each processor that we may use. */
static unsigned parallel_steps(const struct config *config)
{
	cpu_set_t set;

	if (config->max_running > 0)
		return (unsigned)config->max_running;
	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

int sandboxes_prepare(struct daemon *daemon, struct error *error)
{
	struct sandbox_host *host;
	char init_path[PATH_MAX], cacher_path[PATH_MAX], cgroup[64];
	struct sandbox_host_options options = {
		.state_dir = daemon->paths.lib,
		.init_path = init_path,
		.cacher_path = cacher_path,
		.cgroup_name = cgroup,
		.cgroup_parent = getenv("RUNBOOK_STEPS_CGROUP"),
		.network_pool = (unsigned)daemon->config->network_pool,
		.gateway = true,
		.limits = (enum sandbox_limits_policy)daemon->config->limits,
		.memory = daemon->config->steps_memory,
		.parallel = parallel_steps(daemon->config),
		.launchers = STEPS_LAUNCHERS,
	};
	struct error ignored = ERROR_INIT;
	const char *warning;
	struct firewall firewall;
	char seen[256], fix[512];

	cgroup_name(&daemon->paths, cgroup, sizeof(cgroup));
	if (daemon->config->dns.n_items > 0)
		options.dns_servers = (const char *const *)daemon->config->dns.items;
	if (program_path_find("runbook-init", init_path, error) < 0)
		return -error->number;
	if (program_path_find("cacher", cacher_path, &ignored) < 0) {
		log_warning("steps will have no cacher: %s", ignored.text);
		options.cacher_path = NULL;
	}
	if (sandbox_host_new(&host, &options, error) < 0) {
		/* only the administrator can decide to do without limits */
		if (options.limits == SANDBOX_LIMITS_REQUIRED)
			return error_wrap(error, "cannot prepare this host for sandboxes (where "
						 "missing limits are acceptable, set "
						 "Limits=best-effort in [Daemon])");
		return error_wrap(error, "cannot prepare this host for sandboxes");
	}
	warning = sandbox_host_warning(host);
	if (warning)
		log_warning("%s", warning);
	if (firewall_probe(&firewall) == 0 && firewall.kind != FIREWALL_NONE) {
		firewall_describe(&firewall, seen, sizeof(seen));
		firewall_fix(&firewall, fix, sizeof(fix));
		log_warning("%s; to let them through: %s", seen, fix);
	}
	daemon->sandbox_host = host;
	/* before the sweep: the predecessor's descriptors hold the locks of steps that go on */
	adopt_host(daemon);
	if (sandbox_host_sweep(host, &ignored) < 0)
		log_warning("cannot remove what an earlier instance left: %s", ignored.text);
	return 0;
}

static void firewall_news(struct loop_file *file, uint32_t events)
{
	struct daemon *daemon = container_of(file, struct daemon, network_file);

	if (sandbox_host_watch(daemon->sandbox_host))
		log_warning("the firewall table of steps was removed (nft flush ruleset?): it is "
			    "there again");
}

bool sandboxes_idle(void *userdata)
{
	struct daemon *daemon = userdata;
	bool more = sandbox_host_idle(daemon->sandbox_host);
	int fd = sandbox_host_watch_fd(daemon->sandbox_host);

	if (fd >= 0 && !daemon->network_file.loop) {
		if (loop_add(daemon->loop, &daemon->network_file, fd, EPOLLIN, firewall_news) < 0)
			log_warning("cannot watch the firewall of steps");
		/* the links stay over a restart even if no step has run yet */
		step_persist_host(daemon->steps);
	}
	return more;
}
