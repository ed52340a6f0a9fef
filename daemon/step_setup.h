/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_SETUP_H
#define DAEMON_STEP_SETUP_H

/*
 * DOC: Preparing the host for a step
 *
 * Before the sandbox of a step is built, its tree, its view and the objects of git are
 * found, and its log files, pipes and cacher socket are made. All of it goes into a struct
 * sandbox_request. Every path is computed here from names that were checked: the
 * scheduler sends no path of the host, and of what the fetcher wrote only the name of the tree
 * is read that another one lies on (common/tree_layers.h).
 */

#include "common/paths.h"
#include "daemon/config.h"
#include "daemon/step.h"

#define STEP_MIRROR_TARGET "/run/runbookd/mirror/objects"
#define STEP_CACHER_TARGET "/run/runbookd/cacher.sock"

/** struct step_setup - a request and what it points to; must not be copied */
struct step_setup {
	struct sandbox_request request; /* points to the members below */
	struct sandbox_bind binds[2];
	char hostname[64];
	char group[32];
	char workspace[PATH_MAX];
	char view[PATH_MAX];
	char *lowers[SANDBOX_WORKSPACE_LOWERS_MAX]; /* layers beneath @workspace, malloc'ed */
	char **layers;				    /* request.n_layers paths, malloc'ed */
	char objects[PATH_MAX];
	char socket[PATH_MAX];
	int log_fd, index_fd;
	uint64_t log_limit; /* bytes on disk */
	int stdout_pipe[2], stderr_pipe[2];
	int cacher_fd; /* listening; identifies the step to the cacher */
};

/**
 * step_setup_make() - find the tree, make log files, pipes and socket, fill in the request
 * @config:    limits of runs, and of steps that have none of their own
 * @project:   NULL if it has no configuration (an upload): its steps have the tree only
 * @container: id of the sandbox, used until the sandbox is started
 *
 * Layers are added with step_setup_layer(). Return: 0; -errno with @error: descriptors are
 * closed, and run/steps/<order> is removed then.
 */
int step_setup_make(const struct paths *paths, const struct config *config,
		    const struct config_project *project, const struct step_order *order,
		    const char *container, struct step_setup *setup, struct error *error);
/** step_setup_layer() - add the next layer of the image, lowest first. Return: 0 or -ENOMEM. */
int step_setup_layer(struct step_setup *setup, const char *path);
/** step_setup_close() - close descriptors that were not taken out (-1), free the rest */
void step_setup_close(struct step_setup *setup);
/** step_setup_remove() - remove run/steps/<order>, when the step has ended */
void step_setup_remove(const struct paths *paths, uint64_t order);
/**
 * step_setup_sweep() - remove directories in run/steps/ that a killed runbookd left
 * @is_kept: is the step of this order adopted, so that its directory stays?
 */
void step_setup_sweep(const struct paths *paths,
		      bool (*is_kept)(const void *userdata, uint64_t order), const void *userdata);

/**
 * workspace_open_runbook() - open runbook.yml of a project with Workspace=
 * @ret_misnamed: set on -ENOENT: a file that is named nearly so, a static string, or NULL
 *                (common/runbook_name.h)
 *
 * Return: fd; -ENOENT without @error when the file does not exist; another -errno with
 * @error.
 */
int workspace_open_runbook(const struct config_project *project, const char **ret_misnamed,
			   struct error *error);

#endif
