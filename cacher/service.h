/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_SERVICE_H
#define CACHER_SERVICE_H

/*
 * DOC: Who is served when
 *
 * One listening socket for each step. A connection is accepted, greeted, and
 * waits for its turn; a thread then serves it. A step has at most
 * CACHER_CONNECTIONS_PER_STEP threads, and of SERVICE_THREADS_MAX in all no more
 * than its equal share, but always one: a step that floods the service waits
 * for itself only. What is over SERVICE_WAITING_PER_STEP stays in the backlog of
 * the listening socket.
 *
 * All functions are for the thread of the loop.
 */

#include "cacher/store.h"
#include "common/loop.h"

#define SERVICE_THREADS_MAX 512u
#define SERVICE_WAITING_PER_STEP 128u

struct service;

/** service_new() - Return: 0 or -errno. @loop and @store must outlive the service. */
int service_new(struct loop *loop, struct store *store, struct service **ret_service);

/**
 * service_listen() - serve a step on @fd
 * @order: tells the step; one that is known already gets the new socket
 * @fd:    listening AF_UNIX stream socket, owned by the service on success only
 *
 * Return: 0, or -EBADMSG when @fd is something else, or -errno.
 */
int service_listen(struct service *service, uint64_t order, const char *project, uint64_t run,
		   int fd);
/** service_close() - the step has ended: stop what it still asks for */
void service_close(struct service *service, uint64_t order);

#endif
