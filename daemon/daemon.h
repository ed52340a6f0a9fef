/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/*
 * The one object of runbookd. It owns its children, the listening sockets that
 * it hands to them, the configuration in force, and the running steps.
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
#define RELOADS_MAX 64	    /* requests for one that wait together */

struct daemon {
	struct loop *loop;
	struct paths paths;
	char instance_id[INSTANCE_ID_SIZE];
	int lock_fd;
	struct fd_store *fds;  /* what outlives us */
	struct ledger *ledger; /* and what is written down of it; NULL in tests of parts */

	struct config *config;
	uint64_t generation; /* of the configuration, grows with every reload */
	struct listener_set webhook_listeners;
	struct listener_set api_listeners;
	int api_socket; /* run/runbookd/api.sock, always there */

	struct child_hooks child_hooks;
	struct child children[CHILD_NUM];
	struct channel links[CHILD_NUM]; /* to them, in the same order */
	struct sandbox_host *sandbox_host;
	struct loop_file network_file; /* news of the firewall of steps */
	struct step_table *steps;
	struct layers *layers;
	char images_dir[PATH_MAX]; /* the store of images */

	/* who asked to read the configuration again and is not answered yet */
	uint64_t reload_serials[RELOADS_MAX];
	size_t n_reloads;
	uint64_t reloaded_usec;
	struct loop_timer reload_timer;

	struct loop_timer space_timer;
	char space_text[512]; /* why no step may start: too little room on disk; "" if it may */

	bool space_short; /* less is free than is to be kept free: the scheduler knows */
	struct log_remover *log_remover;

	/* daemon_progress(), handed in: what it asks are those who call this. NULL in tests of parts */
	void (*changed)(struct daemon *daemon);
	enum daemon_state state; /* daemon_state_set() */
	enum daemon_state stay;	 /* while becoming: the state of before, for daemon_stay() */
	int stop_signal;	 /* while becoming: the one that came, for the next program; 0 */
	struct loop_timer stop_timer;
};

#define API_SOCKET_MODE 0660
/** daemon_api_group() - whose members may use the API's unix sockets */
gid_t daemon_api_group(void);
/**
 * daemon_reload() - read the configuration again and tell every child
 *
 * Return: 0; -errno with @error when the files are broken, the old
 * configuration is then still in force.
 */
int daemon_reload(struct daemon *daemon, struct error *error);
/** daemon_stop() - begin the orderly end; the loop exits when everything is down */
void daemon_stop(struct daemon *daemon);
/**
 * daemon_leave() - end everything but the steps; the loop exits when that is done
 * @how: DAEMON_LEAVING or DAEMON_BECOMING
 *
 * Ignored when we end already.
 */
void daemon_leave(struct daemon *daemon, enum daemon_state how);
/** daemon_stay() - the next program could not be executed: go on as before */
void daemon_stay(struct daemon *daemon);
/** daemon_progress() - a child greeted or ended, a step ended: see whether we are ready or done */
void daemon_progress(struct daemon *daemon);
/** daemon_child_greeted(), daemon_child_gone() - for struct child_hooks */
void daemon_child_greeted(struct daemon *daemon, enum child_index index);
void daemon_child_gone(struct daemon *daemon, enum child_index index);

/** daemon_changed() - a step or a job of layers ended */
static inline void daemon_changed(struct daemon *daemon)
{
	if (daemon->changed)
		daemon->changed(daemon);
}

#endif
