/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/*
 * DOC: The daemon
 *
 * struct daemon is the one object of runbookd: it owns the children, the listening sockets
 * that they serve, the configuration in force, the running steps, and the store of image
 * layers. The functions here move it through its life (daemon/daemon_state.h). What a
 * change of a child or a step means for that life is decided in daemon_progress() alone.
 */

#include "common/loop.h"
#include "common/paths.h"
#include "daemon/children.h"
#include "daemon/config.h"
#include "daemon/daemon_state.h"
#include "daemon/fd_store.h"
#include "daemon/ledger.h"
#include "daemon/links.h"
#include "daemon/listen.h"
#include "daemon/step.h"

#include <stdbool.h>
#include <stdint.h>

#define INSTANCE_ID_SIZE 33 /* 128 random bits in hex */
#define RELOADS_MAX 64	    /* requests to reload that may wait at a time */

struct daemon {
	struct loop *loop;
	struct paths paths;
	char instance_id[INSTANCE_ID_SIZE];
	int lock_fd;
	struct fd_store *fds;  /* descriptors that outlive this process */
	struct ledger *ledger; /* state of steps that outlives it; NULL in tests of parts */

	struct config *config;
	uint64_t generation; /* number of the configuration: one more with every reload */
	struct listener_set webhook_listeners;
	struct listener_set api_listeners;
	int api_socket; /* run/runbookd/api.sock, open in every configuration */

	struct child_hooks child_hooks;
	struct child children[CHILD_NUM];
	struct channel links[CHILD_NUM]; /* to the children, in the same order */
	struct sandbox_host *sandbox_host;
	struct loop_file network_file; /* of sandbox_host_watch_fd(): the firewall changed */
	struct step_table *steps;
	struct layers *layers;
	char images_dir[PATH_MAX]; /* the store of images */

	/* requests of the api to reload the configuration that have no answer yet */
	uint64_t reload_serials[RELOADS_MAX];
	size_t n_reloads;
	uint64_t reloaded_usec;
	struct loop_timer reload_timer;

	struct loop_timer space_timer;
	char space_text[512]; /* why no step may start: too little free space; "": steps may */

	bool space_short; /* HOST_SHORT reported less free space than KeepFree= to the scheduler */
	struct log_remover *log_remover;

	/* daemon_progress(): a pointer, because that calls the modules that call this. NULL in
	 * tests of parts */
	void (*changed)(struct daemon *daemon);
	enum daemon_state state; /* changed by daemon_state_set() alone */
	enum daemon_state stay;	 /* while becoming: the earlier state, for daemon_stay() */
	int stop_signal;	 /* while becoming: the signal to pass to the next program, or 0 */
	struct loop_timer stop_timer;
};

#define API_SOCKET_MODE 0660
/** daemon_api_group() - the group whose members may use the API's unix sockets */
gid_t daemon_api_group(void);
/**
 * daemon_reload() - read the configuration, apply it and send it to every child
 *
 * Return: 0; -errno with @error when the files are wrong or an address cannot be bound:
 * the old configuration is still in force then.
 */
int daemon_reload(struct daemon *daemon, struct error *error);
/**
 * daemon_stop() - cancel steps, then end children; the loop exits when all is down
 *
 * A second call kills the steps that are left.
 */
void daemon_stop(struct daemon *daemon);
/**
 * daemon_leave() - end everything but the steps; the loop exits when that is done
 * @how: DAEMON_LEAVING or DAEMON_BECOMING
 *
 * Ignored when runbookd is ending already.
 */
void daemon_leave(struct daemon *daemon, enum daemon_state how);
/** daemon_stay() - the next program could not be executed: start the children again, go on */
void daemon_stay(struct daemon *daemon);
/** daemon_progress() - after a child greeted or ended, or a step ended: are we ready, or done? */
void daemon_progress(struct daemon *daemon);
/** daemon_child_greeted(), daemon_child_gone() - for struct child_hooks */
void daemon_child_greeted(struct daemon *daemon, enum child_index index);
void daemon_child_gone(struct daemon *daemon, enum child_index index);

/** daemon_changed() - to be called when a step, or a sandbox of layers, has ended */
static inline void daemon_changed(struct daemon *daemon)
{
	if (daemon->changed)
		daemon->changed(daemon);
}

#endif
