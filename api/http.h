/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HTTP_H
#define API_HTTP_H

/*
 * DOC: The HTTP server
 *
 * libmicrohttpd with a thread for each connection: there are few clients and
 * many of them wait for something. On a unix socket everybody who can connect
 * (the socket's group) may do everything, but for web pages, which reach it when
 * it is forwarded to a port for a browser: they may read, under a name of this
 * host. On TCP, where any web page in a
 * browser on this host can connect, only reading is possible, only under a
 * name of this host (DNS rebinding), and no answer is shared with other
 * origins.
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
/** http_quiesce() - accept nothing any more; what is being served goes on */
void http_quiesce(struct http_server *server);

#endif
