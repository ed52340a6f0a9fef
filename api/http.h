/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HTTP_H
#define API_HTTP_H

/*
 * DOC: The HTTP server
 *
 * libmicrohttpd serves each connection in a thread of its own, because there are few
 * clients and many of them wait for something.
 *
 * A client of the unix socket may do everything; the socket's group decides who can
 * connect. Web pages are the exception: they reach the socket when it is forwarded to
 * a port for a browser, and may only read, under a name of this host. On TCP, where any
 * web page in a browser on this host can connect, all clients may only read, only under
 * a name of this host (against DNS rebinding), and no answer is shared with other
 * origins.
 *
 * A request is checked in this order: its framing and origin, its route, its body. The
 * body is collected or stored as a file, and then the handler of the route is called.
 */

#include "api/request.h"

struct http_server;

/**
 * http_listen() - serve a listening socket
 * @address: as configured, for error texts
 * @fd:      owned by the server on success
 *
 * Return: 0 or -errno.
 */
int http_listen(struct api *api, const char *address, int fd, struct http_server **ret_server);
/** http_quiesce() - stop accepting connections; the open ones are served until they end */
void http_quiesce(struct http_server *server);

#endif
