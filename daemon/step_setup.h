/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_SETUP_H
#define DAEMON_STEP_SETUP_H

/*
 * What a step needs from the host before its sandbox is built. Every path is
 * computed here from checked names: the scheduler sends no path at all.
 */

#include "common/paths.h"
#include "daemon/config.h"
#include "daemon/step.h"

#define STEP_MIRROR_TARGET "/run/runbookd/mirror/objects"
#define STEP_CACHER_TARGET "/run/runbookd/cacher.sock"

struct step_setup {
	struct sandbox_request request; /* points into the rest */
	struct sandbox_bind binds[2];
	char hostname[64];
	char group[32];
	char workspace[PATH_MAX];
	char view[PATH_MAX];
	char **layers; /* their paths, of request.n_layers */
	char objects[PATH_MAX];
	char socket[PATH_MAX];
	int log_fd, index_fd;
	uint64_t log_limit; /* bytes on disk */
	int stdout_pipe[2], stderr_pipe[2];
	int cacher_fd; /* listening; identity of the step for the cacher */
};

/**
 * step_setup_make() - find tree and image, make log files, pipes and socket
 * @config:  limits of runs, and of steps that have none of their own
 * @project: NULL for one without a configuration (an upload): it has only its tree
 *
 * Return: 0; -errno with @error, everything is closed and removed again then.
 */
int step_setup_make(const struct paths *paths, const struct config *config,
		    const struct config_project *project, const struct step_order *order,
		    const char *container, struct step_setup *setup, struct error *error);
/** step_setup_layer() - the next layer of the image, the lowest first. Return: 0 or -ENOMEM. */
int step_setup_layer(struct step_setup *setup, const char *path);
/** step_setup_close() - close the descriptors that are still in it (-1: taken), free the rest */
void step_setup_close(struct step_setup *setup);
/** step_setup_remove() - remove run/steps/<order>, when the step has ended */
void step_setup_remove(const struct paths *paths, uint64_t order);
/**
 * step_setup_sweep() - remove what an earlier, killed instance left there
 * @is_kept: whether an order's directory stays
 */
void step_setup_sweep(const struct paths *paths,
		      bool (*is_kept)(const void *userdata, uint64_t order), const void *userdata);

/**
 * workspace_open_runbook() - runbook.yml of a project that is a directory
 *
 * @ret_misnamed: set when there is none: a static string, or NULL (see common/runbook_name.h)
 *
 * Return: fd; -ENOENT without @error when there is none; otherwise -errno with
 * @error.
 */
int workspace_open_runbook(const struct config_project *project, const char **ret_misnamed,
			   struct error *error);

#endif
