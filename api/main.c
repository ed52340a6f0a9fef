/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbook-api: HTTP for people and their programs.
 *
 * runbookd starts it with its channel on descriptor 3. It keeps no state of its own:
 * it forwards requests to the scheduler, the cacher, runbook-image and runbookd, and
 * reads logs from their files.
 */

#include "api/http.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/config.h"
#include "common/names.h"
#include "common/program.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LISTENERS_MAX 16

struct listener {
	uint64_t cookie; /* SO_COOKIE, by which a socket is recognized after a reload */
	char address[128];
	int fd; /* -1 once it is served */
	struct http_server *server;
};

static struct {
	struct api api;
	struct listener listeners[LISTENERS_MAX]; /* of the current configuration */
	size_t n_listeners;
	struct listener next[LISTENERS_MAX]; /* of the configuration that is being received */
	size_t n_next;
} program = {.api = {.log_fd = -1, .upload_fd = -1}};

/* ---- messages ---- */

static int on_answer(struct channel *channel, struct message *message)
{
	return peers_answer(program.api.peers, message);
}

static int on_event(struct channel *channel, struct message *message)
{
	struct message_event event;
	int r = MESSAGE_GET(message, event, &event);

	if (r < 0)
		return r;
	if (!utf8_valid(event.json, strlen(event.json)))
		return -EBADMSG;
	return hub_publish(program.api.hub, event.id, event.run, event.json);
}

static const struct message_handler scheduler_handlers[] = {
	{MESSAGE_API_ANSWER, on_answer},
	{MESSAGE_EVENT, on_event},
};

static const struct message_handler cacher_handlers[] = {
	{MESSAGE_ARTIFACT_LISTED, on_answer},
	{MESSAGE_ARTIFACT_OPENED, on_answer},
	{MESSAGE_ARTIFACT_KEPT, on_answer},
};

static const struct message_handler image_handlers[] = {
	{MESSAGE_IMAGE_ANSWER, on_answer},
};

static int scheduler_attach(void *userdata, int fd)
{
	return peers_attach(program.api.peers, ROLE_SCHEDULER, fd, scheduler_handlers,
			    ARRAY_SIZE(scheduler_handlers));
}

static int cacher_attach(void *userdata, int fd)
{
	return peers_attach(program.api.peers, ROLE_CACHER, fd, cacher_handlers,
			    ARRAY_SIZE(cacher_handlers));
}

static int image_attach(void *userdata, int fd)
{
	return peers_attach(program.api.peers, ROLE_IMAGE, fd, image_handlers,
			    ARRAY_SIZE(image_handlers));
}

static const struct program_peer peers[] = {
	{ROLE_SCHEDULER, scheduler_attach},
	{ROLE_CACHER, cacher_attach},
	{ROLE_IMAGE, image_attach},
};

static void next_clear(void)
{
	while (program.n_next > 0)
		if (program.next[--program.n_next].fd >= 0)
			(void)close(program.next[program.n_next].fd);
}

static int on_config_begin(void *userdata)
{
	next_clear();
	return 0;
}

static int on_config_listen(struct channel *channel, struct message *message)
{
	struct listener listener = {.fd = -1};
	struct message_config_listen listen;
	socklen_t size = sizeof(listener.cookie);
	int r = MESSAGE_GET(message, config_listen, &listen);

	if (r < 0)
		return r;
	text_escape(listener.address, sizeof(listener.address), listen.address);
	if (program.n_next == LISTENERS_MAX) {
		log_warning("more than %d addresses to serve: %s is not served", LISTENERS_MAX,
			    listener.address);
		return 0;
	}
	if (getsockopt(listen.socket, SOL_SOCKET, SO_COOKIE, &listener.cookie, &size) < 0)
		return -EBADMSG;
	listener.fd = message_take_fd(message, listen.socket);
	program.next[program.n_next++] = listener;
	return 0;
}

static struct listener *listener_find(struct listener *listeners, size_t n, uint64_t cookie)
{
	for (size_t i = 0; i < n; i++)
		if (listeners[i].cookie == cookie)
			return &listeners[i];
	return NULL;
}

/* Serve new sockets, stop accepting on those that are gone, and keep the others. */
static int on_config_end(void *userdata)
{
	for (size_t i = 0; i < program.n_listeners; i++)
		if (!listener_find(program.next, program.n_next, program.listeners[i].cookie) &&
		    program.listeners[i].server)
			http_quiesce(program.listeners[i].server);
	for (size_t i = 0; i < program.n_next; i++) {
		struct listener *listener = &program.next[i];
		struct listener *old =
			listener_find(program.listeners, program.n_listeners, listener->cookie);
		int r;

		if (old) {
			listener->server = old->server;
			(void)close(TAKE_FD(listener->fd));
			continue;
		}
		r = http_listen(&program.api, listener->address, listener->fd, &listener->server);
		if (r < 0) {
			log_error("cannot serve %s: %s", listener->address, strerror(-r));
			(void)close(listener->fd);
		}
		listener->fd = -1;
	}
	memcpy(program.listeners, program.next, sizeof(program.listeners));
	program.n_listeners = program.n_next;
	program.n_next = 0;
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CONFIG_LISTEN, on_config_listen},
	{MESSAGE_RELOADED, on_answer},
};

/* ---- start ---- */

static int start(struct process *process, struct error *error)
{
	int r = hub_new(&program.api.hub);

	if (r == 0)
		r = peers_new(process->loop, &program.api.peers);
	if (r == 0)
		peers_adopt(program.api.peers, ROLE_DAEMON, &process->daemon);
	return r;
}

static const struct program_service api_service = {
	.start = start,
	.config_begin = on_config_begin,
	.config_end = on_config_end,
	.handlers = daemon_handlers,
	.n_handlers = ARRAY_SIZE(daemon_handlers),
	.peers = peers,
	.n_peers = ARRAY_SIZE(peers),
};

static const struct lock_down_path reached[] = {
	{.place = PLACE_LOG, .path = "", .fd = &program.api.log_fd},
	/* without it, uploads are kept in memory */
	{.place = PLACE_LIB,
	 .path = "/api",
	 .write = true,
	 .mode = 0700,
	 .optional = true,
	 .fd = &program.api.upload_fd},
};

static const char *const syscalls[] = {"openat",   "openat2", "accept4", "accept",
				       "sendfile", "fstatfs", "madvise", NULL};

static const struct lock_down api_lock_down = {
	.role = ROLE_API,
	.paths = reached,
	.n_paths = ARRAY_SIZE(reached),
	.syscalls = syscalls,
	.fds_max = 65536,
};

static const struct program api_program = {
	.name = "runbook-api",
	.purpose = "Serves the HTTP API and the web page.",
	.lock_down = &api_lock_down,
	.service = &api_service,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &api_program};

	/* threads may still serve streams and use all of this, so exit without freeing it */
	_exit(program_main(&process, argc, argv));
}
