/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CONFIG_SEND_H
#define DAEMON_CONFIG_SEND_H

/*
 * DOC: The configuration, as children get it
 *
 * Children cannot read the configuration files. Each gets its part as messages, after its
 * HELLO and again after every reload, and only what its role needs: webhook secrets go to
 * the webhook process, git credentials to the fetcher, credentials of registries to
 * runbook-image, the keys of stored secrets to the scheduler.
 */

#include "daemon/links.h"

/**
 * config_send() - send a child its part of the configuration in force
 *
 * The messages are between CONFIG_BEGIN and CONFIG_END. A failure is logged.
 */
void config_send(struct daemon *daemon, enum child_index index);

#endif
