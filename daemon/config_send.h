/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CONFIG_SEND_H
#define DAEMON_CONFIG_SEND_H

#include "daemon/links.h"

/**
 * config_send() - send a child its part of the configuration in force
 *
 * Each learns only what its role needs: webhook keys go to the webhook process,
 * git credentials to the fetcher, nothing secret to anybody else.
 */
void config_send(struct daemon *daemon, enum child_index index);

#endif
