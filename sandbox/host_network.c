/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network.h"

#include "common/cleanup.h"
#include "common/memory_pages.h"
#include "sandbox/host_network_group.h"
#include "sandbox/host_network_parts.h"
#include "sandbox/host_nft_netlink.h"
#include "sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int host_network_new(struct host_network **ret_network, const struct host_network_options *options,
		     struct error *error)
{
	struct host_network *network = memory_pages_new(sizeof(*network));
	int r;

	if (!network)
		return error_errno(error, ENOMEM, "cannot keep a network");
	network->record.fd = -1;
	network->watch_fd = network->gateway.fd = -1;
	network->has_gateway = options->gateway;
	network->pool_size = options->pool > NETWORK_POOL_MAX ? NETWORK_POOL_MAX : options->pool;
	r = network_dns_configure(&network->dns, options->dns_servers, error);
	if (r < 0) {
		memory_pages_free(network, sizeof(*network));
		return r;
	}
	network->directory = options->directory ? strdup(options->directory) : NULL;
	/* a random start: links of earlier addresses that still die are rarely in the way */
	if (getrandom(&network->next, sizeof(network->next), 0) < 0)
		network->next = (uint32_t)getpid() * 977;
	*ret_network = network;
	return 0;
}

static void pool_empty(struct host_network *network, struct network_pool *pool)
{
	while (pool->n_ready > 0)
		host_network_step_free(network, &pool->ready[--pool->n_ready]);
}

struct host_network *host_network_free(struct host_network *network)
{
	struct host_network_step begun = HOST_NETWORK_STEP_NULL;

	if (!network)
		return NULL;
	if (host_network_join(network, &begun, NULL) == 0)
		host_network_step_free(network, &begun);
	pool_empty(network, &network->egress);
	pool_empty(network, &network->plain);
	if (network->ready) {
		(void)record_lock(&network->record, RECORD_SETUP, F_WRLCK, true);
		egress_take_down(network);
	}
	free(network->directory);
	memory_pages_free(network, sizeof(*network));
	return NULL;
}

int host_network_sweep(struct host_network *network, struct error *error)
{
	int r;

	network_groups_sweep(network);
	if (network->ready)
		return 0;
	r = record_open_locked(&network->record, false);
	if (r == -ENOENT)
		return 0; /* no program has ever set up egress */
	if (r < 0)
		return error_errno(error, -r, "cannot open %s", network->record.path);
	egress_take_down(network);
	return 0;
}

const char *host_network_resolv(struct host_network *network, struct error *error)
{
	return egress_setup(network, error) < 0 ? NULL : egress_resolv(network, error);
}

/* ---- one step ---- */

static bool pool_take(struct host_network *network, struct network_pool *pool,
		      struct host_network_step *step)
{
	pool->wanted = true;
	network->pool_failed = false;
	if (pool->n_ready == 0)
		return false;
	*step = pool->ready[--pool->n_ready];
	return true;
}

/* Sets up what is missing, also what others have removed. Return: 0 or -errno with @error. */
static int egress_ready(struct host_network *network, struct error *error)
{
	int r;

	if (network->gateway.fd >= 0 && !gateway_present(network)) {
		/* steps that run have lost their network, and those in the pool would have none */
		pool_empty(network, &network->egress);
		gateway_close(network);
	}
	r = egress_setup(network, error);
	return r == 0 && !nft_table_present() ? egress_table_restore(network, error) : r;
}

static int egress_new(struct host_network *network, const struct host_network_request *request,
		      struct host_network_step *step, struct error *error)
{
	int r = egress_ready(network, error);

	if (r < 0)
		return r;
	if (request->limited)
		r = egress_step_new(network, true, step, error);
	else
		r = pool_take(network, &network->egress, step)
			    ? 0
			    : egress_step_new(network, false, step, error);
	if (r < 0)
		return r;
	r = egress_list(network, request, step, error);
	if (r < 0)
		host_network_step_free(network, step);
	return r;
}

int host_network_step_new(struct host_network *network, const struct host_network_request *request,
			  struct host_network_step *step, struct error *error)
{
	int r = 0;

	*step = HOST_NETWORK_STEP_NULL;
	if (request->kind == STEP_NETWORK_EGRESS)
		return egress_new(network, request, step, error);
	if (!pool_take(network, &network->plain, step) && request->kind == STEP_NETWORK_ISOLATED)
		r = plain_step_new(step, error);
	if (r == 0 && request->kind == STEP_NETWORK_ISOLATED)
		r = network_group_join(network, request, step, error);
	if (r < 0)
		host_network_step_free(network, step);
	return r;
}

void host_network_begin(struct host_network *network)
{
	if (!network->job)
		network->job = spawn_netns_begin(plain_settings(), false, NULL);
}

int host_network_join(struct host_network *network, struct host_network_step *step,
		      struct error *error)
{
	struct netns_job *job = network->job;

	if (!job || step->netns_fd >= 0)
		return 0;
	network->job = NULL;
	step->netns_fd = spawn_netns_end(job, NULL, error);
	return step->netns_fd < 0 ? step->netns_fd : 0;
}

void host_network_step_free(struct host_network *network, struct host_network_step *step)
{
	egress_unlist(network, step);
	if (step->group)
		network_group_leave(network, step);
	if (step->netlink_fd >= 0)
		(void)close(step->netlink_fd);
	if (step->netns_fd >= 0)
		(void)close(step->netns_fd);
	if (step->index != 0)
		egress_address_release(network, step->index);
	*step = HOST_NETWORK_STEP_NULL;
}

const char *host_network_step_hosts(const struct host_network_step *step)
{
	return step->group ? network_group_hosts(step->group) : NULL;
}

/* ---- networks that outlive the process that made them ---- */

int host_network_fd(const struct host_network *network)
{
	return network->ready ? network->record.fd : -1;
}

int host_network_gateway_fd(const struct host_network *network)
{
	return network->gateway.fd;
}

void host_network_inherit(struct host_network *network, int fd, int gateway_fd)
{
	if (fd >= 0 && record_inherit(&network->record, fd) == 0) {
		(void)network_dns_refresh(&network->dns,
					  record_has_subnet6(&network->record.contents));
		network->watch_fd = nft_watch_open();
		network->ready = true;
	}
	gateway_inherit(network, gateway_fd);
}

void host_network_step_persist(const struct host_network_step *step, struct host_network_kept *kept,
			       int fds[NETWORK_KEPT_FDS])
{
	*kept = (struct host_network_kept){.index = step->index};
	for (size_t i = 0; i < NETWORK_KEPT_FDS; i++)
		fds[i] = -1;
	if (step->group)
		network_group_persist(step, kept, fds);
}

void host_network_step_lists(const struct host_network_step *step,
			     struct host_network_request *request)
{
	*request = (struct host_network_request){.kind = STEP_NETWORK_EGRESS};
	if (!step->rules)
		return;
	request->allow = step->rules->allow;
	request->n_allow = step->rules->n_allow;
	request->only = step->rules->only;
	request->n_only = step->rules->n_only;
}

int host_network_step_adopt(struct host_network *network, const struct host_network_kept *kept,
			    const struct host_network_request *request, int netns_fd,
			    const int fds[NETWORK_KEPT_FDS], struct host_network_step *step)
{
	*step = HOST_NETWORK_STEP_NULL;
	step->netns_fd = netns_fd;
	if (kept->index != 0 && egress_address_adopt(network, kept->index) == 0)
		step->index = kept->index;
	if (kept->group[0] != '\0' && fds[0] >= 0) {
		int r = network_group_adopt(network, kept, fds, step);

		if (r < 0)
			return r;
	}
	return egress_rules_adopt(network, request, step);
}

int host_network_settle(struct host_network *network, struct error *error)
{
	int r = egress_settle(network, error);

	return r < 0 ? r : 0;
}

/* ---- idle moments ---- */

static bool pool_lacks(const struct host_network *network, const struct network_pool *pool)
{
	return pool->wanted && pool->n_ready < network->pool_size;
}

bool host_network_idle(struct host_network *network)
{
	struct host_network_step step = HOST_NETWORK_STEP_NULL;
	struct error ignored = ERROR_INIT;
	struct network_pool *pool;
	int r;

	if (network->has_gateway && !network->begun) {
		/* on failure the first step tries again, and reports why */
		network->begun = true;
		(void)egress_setup(network, &ignored);
		return true;
	}
	if (network->pool_failed)
		return false;
	if (network->ready && pool_lacks(network, &network->egress)) {
		pool = &network->egress;
		r = egress_step_new(network, false, &step, &ignored);
	} else if (pool_lacks(network, &network->plain)) {
		pool = &network->plain;
		r = plain_step_new(&step, &ignored);
	} else {
		return false;
	}
	/* not reported here: a step that needs a namespace tries again and reports why */
	network->pool_failed = r < 0;
	if (r < 0)
		return false;
	pool->ready[pool->n_ready++] = step;
	return (network->ready && pool_lacks(network, &network->egress)) ||
	       pool_lacks(network, &network->plain);
}

int host_network_watch_fd(const struct host_network *network)
{
	return network->watch_fd;
}

bool host_network_watch(struct host_network *network)
{
	struct error ignored = ERROR_INIT;

	/* on failure the next step tries again, and reports why */
	return network->ready && network->watch_fd >= 0 && nft_watch_read(network->watch_fd) &&
	       egress_table_restore(network, &ignored) > 0;
}
