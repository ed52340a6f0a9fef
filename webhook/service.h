/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_SERVICE_H
#define WEBHOOK_SERVICE_H

/*
 * DOC: The main thread of runbook-webhook
 *
 * The service receives the configuration from the daemon, makes it current as a whole
 * when CONFIG_END arrives, and starts and ends listeners. A listener whose socket
 * is in the new configuration as well goes on without a break. When the daemon sends
 * SIGTERM or is gone, all listeners are drained and the program exits when the last
 * one has ended, or after SERVICE_STOP_SEC.
 */

#include "common/program.h"
#include "webhook/listener.h"

/* Time for the requests in flight after SIGTERM, or after the daemon is gone. */
#define SERVICE_STOP_SEC 3

/** struct configuration - collects the messages between CONFIG_BEGIN and CONFIG_END */
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
	struct configuration next;
	struct listener *listeners;
	struct listener *draining;
	struct loop_timer drain_timer;
	bool stopping;
	uint64_t stop_usec; /* deadline */
};

/** webhook_service - for main(): the handlers of the daemon's channel */
extern const struct program_service webhook_service;

#endif
