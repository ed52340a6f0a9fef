/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SERVICE_H
#define IMAGES_SERVICE_H

/*
 * DOC: runbook-image, the service
 *
 * The program knows the images of this host, pulls and imports new ones, and reports them to the
 * scheduler. service.c serves the channels, jobs.c pulls and imports, known.c has the unpacked
 * layers and the reports to the scheduler, store.c the files. It has one thread; all that takes
 * long is done by other processes: skopeo, and the unpacker that runbookd runs in a sandbox.
 */

#include "common/program.h"
#include "images/jobs.h"
#include "images/policy.h"
#include "images/store.h"

#include <limits.h>

#define INSECURE_MAX 16
#define LISTED_MAX (INSECURE_MAX + IMAGE_RULES_MAX)

/** struct service_setup - what main() prepared before the lock-down */
struct service_setup {
	char oci_path[PATH_MAX]; /* <store>/oci */
};

struct service {
	struct loop *loop;
	struct store *store;
	const char *oci_path;
	struct channel *daemon;
	struct channel scheduler, api;
	/* the configuration in use, and the one that is being received */
	struct service_config {
		struct policy policy;
		char insecure[INSECURE_MAX * (IMAGE_NAME_MAX + 1) + 1];
		bool pull;
		char (*layers)[IMAGE_ID_SIZE];
		size_t n_layers, room_layers;
	} config, pending;
	bool configured;
	struct jobs *jobs;
};

/** image_service - for common/program.h; main() sets its userdata to a struct service_setup */
extern const struct program_service image_service;

/* ---- known.c: layers and images of this host ---- */

/**
 * service_listed() - registries that may have private addresses: AllowPrivate= and Insecure=
 * @insecure:   room for a copy of config.insecure, which is split into its names
 * @ret_listed: room for LISTED_MAX + 1; NULL-terminated, valid as long as @insecure
 */
void service_listed(const struct service *service, char *insecure, const char **ret_listed);
/** service_layer_append() - add a layer to a configuration. Return: 0, -E2BIG or -ENOMEM. */
int service_layer_append(struct service_config *config, const char *layer);
/** service_layer_known() - is @layer unpacked? */
bool service_layer_known(const struct service *service, const char *layer);
/** service_layer_add() - @layer has been unpacked. Return: 0, -E2BIG or -ENOMEM. */
int service_layer_add(struct service *service, const char *layer);
/** service_layer_drop() - @layer has been removed */
void service_layer_drop(struct service *service, const char *layer);
/** service_publish() - send the scheduler the list of all images, after a change */
void service_publish(struct service *service);
/**
 * service_missing() - report to the scheduler that runs of @project cannot get image @name
 * @fork:   this concerns the project's runs of forks
 * @reason: a sentence, visible to all who see the run
 * @again:  another attempt later may succeed
 */
void service_missing(struct service *service, const char *name, const char *project, bool fork,
		     const char *reason, bool again);

#endif
