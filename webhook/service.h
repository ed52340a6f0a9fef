/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_SERVICE_H
#define WEBHOOK_SERVICE_H

/* The main thread: configuration from the daemon, listeners, an orderly end. */

#include "webhook/listener.h"

/* After SIGTERM, or when the daemon is gone: time for requests that are under way. */
#define SERVICE_STOP_SEC 3

/** struct configuration - what arrives between CONFIG_BEGIN and CONFIG_END */
struct configuration {
	bool open;
	struct hook_set *hooks;
	struct listening {
		int fd;
		char address[256];
	} * listening;
	size_t n_listening;
};

struct service {
	struct loop *loop;
	struct server server;
	struct channel daemon;
	struct configuration next;
	struct listener *listeners;
	struct listener *draining;
	struct loop_timer drain_timer;
	bool stopping;
	uint64_t stop_usec; /* deadline */
};

/** service_init() - ready for the daemon's messages on @fd (taken over) */
int service_init(struct service *service, struct loop *loop, int fd, struct error *error);
/** service_stop() - begin the end; the loop exits with 0 when it is reached */
void service_stop(struct service *service);
/** service_close() - after the loop */
void service_close(struct service *service);

#endif
