/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_ADOPT_H
#define DAEMON_ADOPT_H

/*
 * DOC: Steps of a predecessor
 *
 * What a predecessor of any version left is read field by field (daemon/kept_fields.h).
 * Where that cannot be, because a newer one left what this one must not leave out,
 * nothing is touched: a runbookd that a service manager started refuses to start, and
 * one that is to become another program asks that one first (daemon/successor.h).
 *
 * The order at a start: the fd store is inherited before anything is opened, the
 * ledger says who we are, sandboxes_prepare() goes on with the locks and sweeps what
 * nobody holds, adopt_steps() brings the steps back. Only then are
 * children started, who are told of them as of any other.
 */

#include "common/error.h"

#define ADOPT_LEDGER_NAME "rb.ledger"

struct daemon;
struct fd_store;

/**
 * adopt_check() - could adopt_steps() go on with everything that is in @store?
 *
 * Changes nothing. Return: 0, also when nothing is there; -errno with @error.
 */
int adopt_check(const struct fd_store *store, struct error *error);
/**
 * adopt_ledger() - find or make the ledger, and with it our instance id
 *
 * Return: 0; -errno with @error, nothing that a service manager keeps is lost then.
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
