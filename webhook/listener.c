/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/listener.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/log.h"
#include "webhook/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* After this time a thread that was in accept(2) at the drain has entered its connection. */
#define DRAIN_SETTLE_USEC (1 * USEC_PER_SEC)

static enum MHD_Result connection_wanted(void *cls, const struct sockaddr *address,
					 socklen_t length)
{
	struct listener *listener = cls;

	if (atomic_load(&listener->draining))
		return MHD_NO;
	return connection_admit(&listener->server->connections, listener, address, length) ? MHD_YES
											   : MHD_NO;
}

static void connection_changed(void *cls, struct MHD_Connection *http, void **socket_context,
			       enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = cls;
	const union MHD_ConnectionInfo *fd, *address;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*socket_context)
			connection_close(*socket_context);
		*socket_context = NULL;
		return;
	}
	fd = MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD);
	address = MHD_get_connection_info(http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	*socket_context = connection_open(&listener->server->connections, listener, fd->connect_fd,
					  address ? address->client_addr : NULL);
}

/* Leave paths undecoded: no valid path of ours contains an escape. */
static size_t path_unescape(void *cls, struct MHD_Connection *http, char *text)
{
	return strlen(text);
}

static struct MHD_Daemon *http_start(struct listener *listener)
{
	return MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, connection_wanted,
		listener, request_handle, listener, MHD_OPTION_LISTEN_SOCKET, listener->fd,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)LISTENER_THREADS,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)(512 * KIB), MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(LISTENER_THREADS * CONNECTIONS_HELD_MAX),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEBHOOK_HEADERS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEBHOOK_REQUEST_DEADLINE_SEC,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, request_started,
		listener, MHD_OPTION_NOTIFY_COMPLETED, request_completed, listener,
		MHD_OPTION_NOTIFY_CONNECTION, connection_changed, listener,
		MHD_OPTION_UNESCAPE_CALLBACK, path_unescape, NULL, MHD_OPTION_END);
}

int listener_start(struct server *server, const char *address, int fd,
		   struct listener **ret_listener, struct error *error)
{
	struct listener *listener;
	int r = fd_set_nonblock(fd, 1);

	if (r < 0)
		return error_errno(error, -r, "cannot use the socket of %s", address);
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return error_set(error, ENOMEM, "out of memory");
	listener->server = server;
	listener->fd = fd;
	atomic_init(&listener->draining, false);
	(void)snprintf(listener->address, sizeof(listener->address), "%s", address);
	listener->http = http_start(listener);
	if (!listener->http) {
		r = error_errno(error, errno ? errno : EIO, "cannot serve HTTP on %s", address);
		free(listener);
		return r;
	}
	connection_table_grow(&server->connections, WEBHOOK_CONNECTIONS_MAX);
	*ret_listener = listener;
	return 0;
}

bool listener_serves(const struct listener *listener, int fd)
{
	struct stat ours, theirs;

	return fstat(listener->fd, &ours) == 0 && fstat(fd, &theirs) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

void listener_drain(struct listener *listener)
{
	if (atomic_exchange(&listener->draining, true))
		return;
	listener->drained_usec = now_usec();
	(void)MHD_quiesce_daemon(listener->http);
	connection_table_grow(&listener->server->connections, -(long)WEBHOOK_CONNECTIONS_MAX);
}

bool listener_stop(struct listener *listener)
{
	/* in each call: a keep-alive connection becomes silent after its last answer */
	connection_drop(&listener->server->connections, listener, DRAIN_SETTLE_USEC);
	if (now_usec() - listener->drained_usec < DRAIN_SETTLE_USEC ||
	    connection_count(&listener->server->connections, listener) > 0)
		return false;
	MHD_stop_daemon(listener->http);
	(void)close(listener->fd);
	free(listener);
	return true;
}
