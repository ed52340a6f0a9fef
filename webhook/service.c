/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/service.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/config.h"
#include "webhook/forge.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_TICK_USEC (100 * USEC_PER_MSEC)
#define LISTENING_MAX 64

/* ---- ending listeners ---- */

static bool service_done(const struct service *service)
{
	return service->stopping && !service->draining;
}

static void drain_tick(struct loop_timer *timer)
{
	struct service *service = container_of(timer, struct service, drain_timer);

	for (struct listener **at = &service->draining; *at;) {
		struct listener *listener = *at, *next = listener->next;

		if (listener_stop(listener))
			*at = next;
		else
			at = &listener->next;
	}
	if (service_done(service) || (service->stopping && now_usec() >= service->stop_usec)) {
		loop_exit(service->loop, 0);
		return;
	}
	if (service->draining)
		(void)loop_timer_set(service->loop, &service->drain_timer,
				     now_usec() + DRAIN_TICK_USEC, drain_tick);
}

static void listener_retire(struct service *service, struct listener *listener)
{
	listener_drain(listener);
	listener->next = service->draining;
	service->draining = listener;
	(void)loop_timer_set(service->loop, &service->drain_timer, now_usec() + DRAIN_TICK_USEC,
			     drain_tick);
}

/* Drain all listeners; the loop exits with 0 when the last one has ended. */
static void service_stop(void *userdata)
{
	struct service *service = userdata;

	if (service->stopping)
		return;
	service->stopping = true;
	service->stop_usec = now_usec() + SERVICE_STOP_SEC * USEC_PER_SEC;
	while (service->listeners) {
		struct listener *listener = service->listeners;

		service->listeners = listener->next;
		listener_retire(service, listener);
	}
	if (!service->draining)
		loop_exit(service->loop, 0);
}

/* ---- configuration ---- */

static void configuration_reset(struct configuration *next)
{
	for (size_t i = 0; i < next->n_listening; i++) {
		if (next->listening[i].fd >= 0)
			(void)close(next->listening[i].fd);
	}
	free(next->listening);
	(void)hook_set_unref(next->hooks);
	*next = (struct configuration){.open = false};
}

/* Keep each listener whose socket is configured again, start new ones, retire the others. */
static void listeners_apply(struct service *service)
{
	struct configuration *next = &service->next;
	struct listener *keep = NULL;

	for (size_t i = 0; i < next->n_listening; i++) {
		struct error error = ERROR_INIT;
		struct listener *listener = NULL;

		for (struct listener **at = &service->listeners; *at; at = &(*at)->next) {
			if (!listener_serves(*at, next->listening[i].fd))
				continue;
			listener = *at;
			*at = listener->next;
			break;
		}
		if (!listener) {
			if (listener_start(&service->server, next->listening[i].address,
					   next->listening[i].fd, &listener, &error) < 0) {
				log_error("%s", error.text);
				continue;
			}
			next->listening[i].fd = -1; /* taken over by the listener */
			log_info("taking webhooks on %s", listener->address);
		}
		listener->next = keep;
		keep = listener;
	}
	while (service->listeners) {
		struct listener *listener = service->listeners;

		service->listeners = listener->next;
		log_info("no longer taking webhooks on %s", listener->address);
		listener_retire(service, listener);
	}
	service->listeners = keep;
}

static int on_config_begin(void *userdata)
{
	struct service *service = userdata;

	configuration_reset(&service->next);
	service->next.hooks = hook_set_new();
	if (!service->next.hooks)
		return -ENOMEM;
	service->next.open = true;
	return 0;
}

static int on_config_listen(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct configuration *next = &service->next;
	struct message_config_listen listen;
	struct listening *listening;
	int r = MESSAGE_GET(message, config_listen, &listen);

	if (r < 0)
		return r;
	if (!next->open || next->n_listening >= LISTENING_MAX)
		return -EBADMSG;
	listening = reallocarray(next->listening, next->n_listening + 1, sizeof(*listening));
	if (!listening)
		return -ENOMEM;
	next->listening = listening;
	listening += next->n_listening++;
	(void)snprintf(listening->address, sizeof(listening->address), "%s", listen.address);
	listening->fd = message_take_fd(message, listen.socket);
	return 0;
}

static int on_config_hook(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_config_hook hook;
	int r = MESSAGE_GET(message, config_hook, &hook);

	if (r < 0)
		return r;
	if (!service->next.open)
		return -EBADMSG;
	if (hook.secret.size == 0)
		log_warning("project %s has no webhook secret: its deliveries will be refused; set "
			    "Secret= or SecretFile= in its file",
			    hook.project);
	if (!forge_find(hook.provider))
		log_error("project %s has the unknown provider \"%s\": its deliveries will be "
			  "refused; known are: %s",
			  hook.project, hook.provider, forge_names());
	r = hook_set_add(service->next.hooks, hook.project, hook.provider, hook.secret.data,
			 hook.secret.size);
	if (r == -EEXIST)
		log_error("project %s was configured twice, ignoring the second", hook.project);
	return r == -EEXIST ? 0 : r;
}

static int on_config_end(void *userdata)
{
	struct service *service = userdata;
	struct configuration *next = &service->next;

	if (!next->open)
		return -EBADMSG;
	if (!service->stopping) {
		log_debug("%zu hooks are in force", next->hooks->n_hooks);
		hook_store_replace(&service->server.hooks, TAKE_PTR(next->hooks));
		listeners_apply(service);
	}
	configuration_reset(next);
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CONFIG_LISTEN, on_config_listen},
	{MESSAGE_CONFIG_HOOK, on_config_hook},
};

static int scheduler_attach(void *userdata, int fd)
{
	struct service *service = userdata;

	if (service->stopping) {
		(void)close(fd);
		return 0;
	}
	return trigger_queue_connect(&service->server.triggers, fd);
}

static const struct program_peer peers[] = {{ROLE_SCHEDULER, scheduler_attach}};

/* ---- start and end ---- */

static void on_signal(void *userdata, int signal_number)
{
	service_stop(userdata);
}

static int service_start(struct process *process, struct error *error)
{
	static const int signals[] = {SIGTERM, SIGINT, 0};
	static struct service service;
	int r;

	service = (struct service){.loop = process->loop, .drain_timer = LOOP_TIMER_NULL};
	service.server.hooks = HOOK_STORE_INIT;
	service.server.bodies.max = WEBHOOK_BODIES_TOTAL_MAX;
	service.server.bodies.free_each = WEBHOOK_BODY_FREE;
	r = connection_table_init(&service.server.connections, process->loop);
	if (r == 0)
		r = trigger_queue_init(&service.server.triggers, process->loop);
	if (r == 0)
		r = loop_signals(process->loop, signals, on_signal, &service);
	if (r < 0)
		return error_errno(error, -r, "cannot make an eventfd");
	process->userdata = &service;
	return 0;
}

/* Called after the loop. */
static void service_close(void *userdata)
{
	struct service *service = userdata;

	configuration_reset(&service->next);
	trigger_queue_close(&service->server.triggers);
	/*
	 * Listeners that still have connections keep their threads, which use the
	 * shared state until the process exits, which it does next. So do not free it.
	 */
	if (service->draining)
		return;
	hook_store_replace(&service->server.hooks, NULL);
	connection_table_close(&service->server.connections);
}

const struct program_service webhook_service = {
	.start = service_start,
	.config_begin = on_config_begin,
	.config_end = on_config_end,
	.handlers = daemon_handlers,
	.n_handlers = ARRAY_SIZE(daemon_handlers),
	.peers = peers,
	.n_peers = ARRAY_SIZE(peers),
	.hung_up = service_stop,
	.stop = service_close,
};
