/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_SERVICE_H
#define CACHER_SERVICE_H

/*
 * DOC: Connections of steps
 *
 * Each step has a listening socket of its own. A connection is accepted, gets CACHER_HELLO, and
 * waits until a thread serves it (connection.h). A step gets at most CACHER_CONNECTIONS_PER_STEP
 * threads, and no more than an equal share of SERVICE_THREADS_MAX, but always one; so a step
 * that floods the service delays itself only. Beyond SERVICE_WAITING_PER_STEP, connections stay
 * in the backlog of the listening socket.
 *
 * Only the thread of the loop may call these functions.
 */

#include "cacher/store.h"
#include "common/loop.h"

#define SERVICE_THREADS_MAX 512u      /* of all steps */
#define SERVICE_WAITING_PER_STEP 128u /* accepted connections without a thread */

struct service;

/** service_new() - @loop and @store must outlive the service. Return: 0 or -errno. */
int service_new(struct loop *loop, struct store *store, struct service **ret_service);

/**
 * service_listen() - serve a step on @fd
 * @order: number of the step's attempt; a known one gets the new socket
 * @fd:    listening AF_UNIX stream socket, owned by the service on success only
 *
 * Return: 0, -EBADMSG when @fd is not such a socket, or another -errno.
 */
int service_listen(struct service *service, uint64_t order, const char *project, uint64_t run,
		   int fd);
/** service_close() - the step has ended: stop serving it, and end its requests */
void service_close(struct service *service, uint64_t order);

#endif
