/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/daemon.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/memory_trim.h"
#include "common/message_ids.h"
#include "daemon/layers.h"
#include "daemon/listen_persist.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define STOP_ACKNOWLEDGE_USEC (2 * USEC_PER_SEC)

/* ---- configuration ---- */

/* The bound addresses, one a line: tools read there which port was chosen for port 0. */
static void write_addresses(const struct daemon *daemon, const char *name,
			    const struct listener_set *set)
{
	char text[(LISTEN_TEXT_MAX + 1) * (CONFIG_LIST_MAX + 1)] = "";
	size_t used = 0;
	cleanup_close int dir_fd = open(daemon->paths.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	for (size_t i = 0; i < set->n_items; i++) {
		char address[LISTEN_TEXT_MAX];

		if (strncmp(set->items[i].text, "unix:", 5) == 0)
			(void)snprintf(address, sizeof(address), "%s", set->items[i].text);
		else
			listen_describe(set->items[i].fd, address, sizeof(address));
		if (set->items[i].fresh)
			log_info("%.*s listens on %s", (int)strcspn(name, "."), name, address);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", address);
	}
	r = dir_fd < 0 ? -errno : file_replace(dir_fd, name, text, used, 0644);
	if (r < 0)
		log_error("cannot write %s/%s: %s", daemon->paths.run, name, strerror(-r));
}

gid_t daemon_api_group(void)
{
	return geteuid() == 0 ? role_user(ROLE_API).gid : getegid();
}

/*
 * Over TCP the API does not authenticate its clients: warn about each new TCP address.
 * Without any, log where the page is now that earlier versions served over TCP.
 */
static void warn_api_open(const struct daemon *daemon, const struct listener_set *set)
{
	if (set->n_items == 0 && daemon->generation == 1)
		log_info("the API and its page are at %s/api.sock only; 127.0.0.1:8470 is served "
			 "when [Api] Listen= says so, to every user of this host",
			 daemon->paths.run);
	for (size_t i = 0; i < set->n_items; i++) {
		if (set->items[i].fresh && strncmp(set->items[i].text, "unix:", 5) != 0)
			log_warning("[Api] Listen=%s: every user of this host, and everyone who "
				    "reaches the address, may read all logs, artifacts and "
				    "runbooks; Listen=none serves the unix socket only",
				    set->items[i].text);
	}
}

static bool lists_equal(const struct config_list *a, const struct config_list *b)
{
	if (a->n_items != b->n_items)
		return false;
	for (size_t i = 0; i < a->n_items; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static void warn_restart(const struct config *old, const struct config *new)
{
	if (old->limits != new->limits || !lists_equal(&old->dns, &new->dns) ||
	    old->network_pool != new->network_pool)
		log_warning("Limits=, Dns= and NetworkPool= take effect when runbookd is started "
			    "again");
}

static int reload(struct daemon *daemon, struct error *error)
{
	struct listener_set webhook, api;
	struct config *config;

	if (config_load(&daemon->paths, &config, error) < 0)
		return -error->number;
	if (!daemon->config) {
		listen_persist_load(daemon->fds, LISTEN_PERSIST_WEBHOOK,
				    &daemon->webhook_listeners);
		listen_persist_load(daemon->fds, LISTEN_PERSIST_API, &daemon->api_listeners);
	}
	/* deliveries are signed, so all users may connect to the webhook sockets; a client that
	 * can connect to the API may do everything, so only its group may */
	if (listener_set_update(&daemon->webhook_listeners, &config->webhook_listen, 0666,
				(gid_t)-1, &webhook, error) < 0) {
		(void)error_wrap(error, "[Webhook]");
		(void)config_free(config);
		return -error->number;
	}
	if (listener_set_update(&daemon->api_listeners, &config->api_listen, API_SOCKET_MODE,
				daemon_api_group(), &api, error) < 0) {
		(void)error_wrap(error, "[Api]");
		listener_set_restore(&daemon->webhook_listeners, &webhook);
		(void)config_free(config);
		return -error->number;
	}
	listener_set_close(&daemon->webhook_listeners);
	listener_set_close(&daemon->api_listeners);
	daemon->webhook_listeners = webhook;
	daemon->api_listeners = api;
	listen_persist_save(daemon->fds, LISTEN_PERSIST_WEBHOOK, &webhook);
	listen_persist_save(daemon->fds, LISTEN_PERSIST_API, &api);
	if (daemon->config)
		warn_restart(daemon->config, config);
	daemon->config = (config_free(daemon->config), config);
	daemon->generation++;
	write_addresses(daemon, "webhook.address", &daemon->webhook_listeners);
	write_addresses(daemon, "api.address", &daemon->api_listeners);
	warn_api_open(daemon, &daemon->api_listeners);
	return 0;
}

int daemon_reload(struct daemon *daemon, struct error *error)
{
	static const struct log_field refused[] = {{"MESSAGE_ID", MESSAGE_ID_RELOAD_REFUSED}};
	bool first = daemon->config == NULL;
	int r = reload(daemon, error);

	if (r < 0 && !first)
		log_fields(LOG_LEVEL_ERROR, refused, ARRAY_SIZE(refused),
			   "reload refused, the old configuration stays in force: %s", error->text);
	if (r < 0 || first)
		return r;
	log_notice("configuration read again: %zu projects", daemon->config->n_projects);
	children_send_config(daemon);
	return 0;
}

/* ---- life ---- */

static void stop_children(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, stop_timer);

	daemon_state_set(daemon, DAEMON_CLOSING);
	children_stop(daemon);
	daemon_progress(daemon);
}

void daemon_stop(struct daemon *daemon)
{
	if (daemon_state_ends(daemon->state)) {
		steps_stop(daemon->steps); /* the second request ends the grace */
		return;
	}
	log_notice("stopping, %zu steps run", steps_running(daemon->steps));
	notify_state("STOPPING=1");
	daemon_state_set(daemon, DAEMON_STOPPING);
	steps_stop(daemon->steps);
	layers_stop(daemon->layers);
	daemon_progress(daemon);
}

void daemon_leave(struct daemon *daemon, enum daemon_state how)
{
	if (daemon_state_ends(daemon->state))
		return;
	log_notice("leaving, %zu steps go on", steps_running(daemon->steps));
	notify_state(how == DAEMON_BECOMING ? "RELOADING=1" : "STOPPING=1");
	daemon->stay = daemon->state;
	daemon_state_set(daemon, how);
	steps_hold(daemon->steps, true);
	layers_stop(daemon->layers);
	children_stop(daemon);
	daemon_progress(daemon);
}

void daemon_stay(struct daemon *daemon)
{
	daemon_state_set(daemon, daemon->stay);
	layers_resume(daemon->layers);
	children_start(daemon);
	steps_hold(daemon->steps, false);
	notify_state("READY=1");
}

/* Wait a moment for commits: a result that the scheduler lacks becomes "host lost" later. */
static void await_acknowledgements(struct daemon *daemon)
{
	bool none = steps_unacknowledged(daemon->steps) == 0;

	daemon_state_set(daemon, DAEMON_REPORTING);
	(void)loop_timer_set(daemon->loop, &daemon->stop_timer,
			     now_usec() + (none ? 0 : STOP_ACKNOWLEDGE_USEC), stop_children);
}

void daemon_progress(struct daemon *daemon)
{
	switch (daemon->state) {
	case DAEMON_STARTING:
		if (!children_greeted(daemon))
			return;
		daemon_state_set(daemon, DAEMON_READY);
		log_notice("%zu projects, instance %s", daemon->config->n_projects,
			   daemon->instance_id);
		notify_ready("ready");
		memory_trim();
		return;
	case DAEMON_STOPPING:
		if (steps_running(daemon->steps) > 0 || layers_busy(daemon->layers))
			return;
		if (children_gone(daemon))
			loop_exit(daemon->loop, 0);
		else
			await_acknowledgements(daemon);
		return;
	case DAEMON_REPORTING:
		if (children_gone(daemon))
			loop_exit(daemon->loop, 0);
		else if (steps_unacknowledged(daemon->steps) == 0 &&
			 daemon->stop_timer.at_usec > now_usec())
			(void)loop_timer_set(daemon->loop, &daemon->stop_timer, now_usec(),
					     stop_children);
		return;
	case DAEMON_CLOSING:
		if (children_gone(daemon))
			loop_exit(daemon->loop, 0);
		return;
	case DAEMON_LEAVING:
	case DAEMON_BECOMING:
		if (children_gone(daemon) && !layers_busy(daemon->layers) &&
		    steps_starting(daemon->steps) == 0)
			loop_exit(daemon->loop, 0);
		return;
	case DAEMON_READY:
	case DAEMON_STATE_NUM:
		return;
	}
}

void daemon_child_greeted(struct daemon *daemon, enum child_index index)
{
	if (index == CHILD_SCHEDULER)
		steps_resend(daemon->steps);
	if (index == CHILD_CACHER)
		steps_relisten(daemon->steps);
	daemon_progress(daemon);
}

void daemon_child_gone(struct daemon *daemon, enum child_index index)
{
	if (index == CHILD_IMAGE)
		layers_abandon(daemon->layers);
	daemon_progress(daemon);
}
