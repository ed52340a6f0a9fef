/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_ADOPT_H
#define DAEMON_ADOPT_H

/*
 * DOC: Steps of a predecessor
 *
 * A runbookd that starts takes over the steps that the runbookd before it left running:
 * after an upgrade, an orderly restart, or kill -9. A predecessor of any version is
 * understood, because its state is read field by field (daemon/kept_fields.h). If a newer
 * version left a field that this one must not ignore, nothing is touched: a runbookd that
 * a service manager started refuses to start, and a runbookd that is about to execute
 * another program tests beforehand whether that program can go on (daemon/successor.h).
 *
 * The order at a start: the fd store is inherited before anything is opened; the ledger
 * gives the instance id; sandboxes_prepare() takes over the locks of the sandbox host and
 * sweeps what no descriptor holds; adopt_steps() brings the steps back. Only then are the
 * children started. They see adopted steps like all others.
 */

#include "common/error.h"

#define ADOPT_LEDGER_NAME "rb.ledger"

struct daemon;
struct fd_store;

/**
 * adopt_check() - could adopt_steps() go on with everything that is in @store?
 *
 * Changes nothing. Return: 0, also when @store is empty; -errno with @error.
 */
int adopt_check(const struct fd_store *store, struct error *error);
/**
 * adopt_ledger() - find or make .ledger, and set .instance_id from it
 *
 * Without a service manager that keeps descriptors, an unreadable ledger is replaced by
 * an empty one and its steps are lost. With one, this fails instead and changes nothing
 * that the service manager keeps. Return: 0; -errno with @error.
 */
int adopt_ledger(struct daemon *daemon, struct error *error);
/** adopt_host() - give the predecessor's locks to .sandbox_host; drop locks of replaced files */
void adopt_host(struct daemon *daemon);
/**
 * adopt_steps() - take over every step in the ledger
 *
 * A step that cannot be taken over is reported as lost ("host lost: …"). Bundles of steps
 * that are not in the ledger, or have ended, are dropped from the fd store.
 */
void adopt_steps(struct daemon *daemon);

#endif
