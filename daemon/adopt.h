/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_ADOPT_H
#define DAEMON_ADOPT_H

/*
 * DOC: Steps of a predecessor
 *
 * The order at a start: the fd store is inherited before anything is opened, the
 * ledger says who we are, sandboxes_prepare() goes on with the locks and sweeps what
 * nobody holds, adopt_steps() brings the steps back. Only then are
 * children started, who are told of them as of any other.
 */

#include "common/error.h"

struct daemon;

/**
 * adopt_ledger() - find or make the ledger, and with it our instance id
 *
 * Return: 0 or -errno with @error.
 */
int adopt_ledger(struct daemon *daemon, struct error *error);
/** adopt_host() - let the sandbox host go on with its predecessor's locks */
void adopt_host(struct daemon *daemon);
/**
 * adopt_steps() - take over every step in the ledger
 *
 * One that cannot be taken over is reported as lost. What is in the fd store and
 * belongs to none is dropped.
 */
void adopt_steps(struct daemon *daemon);

#endif
