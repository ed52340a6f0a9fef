/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_SERVICE_H
#define WEBHOOK_SERVICE_H

/* The main thread: configuration from the daemon, listeners, an orderly end. */

#include "common/program.h"
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
	struct configuration next;
	struct listener *listeners;
	struct listener *draining;
	struct loop_timer drain_timer;
	bool stopping;
	uint64_t stop_usec; /* deadline */
};

/* how main() has the daemon's channel served */
extern const struct program_service webhook_service;

#endif
