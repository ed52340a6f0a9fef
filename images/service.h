/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SERVICE_H
#define IMAGES_SERVICE_H

/*
 * DOC: runbook-image: what images there are, and how they come here
 *
 * service.c has the channels, jobs.c the pulls and imports, known.c which layers are unpacked
 * and what the scheduler hears of images, store.c the files.
 * One thread; whatever takes long is another process: skopeo, or the unpacker
 * that the daemon runs in a sandbox.
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
	/* configuration in force, and the one that is being received */
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

/* how main() has the daemon's channel served; its userdata before it starts: a struct service_setup */
extern const struct program_service image_service;

/* ---- known.c: what the daemon and the scheduler have to know ---- */

/**
 * service_listed() - registries that may be at private addresses: AllowPrivate= and Insecure=
 * @insecure:   room for a copy of config.insecure, which is split
 * @ret_listed: LISTED_MAX + 1, NULL-terminated
 */
void service_listed(const struct service *service, char *insecure, const char **ret_listed);
/** service_layer_append() - one more in a configuration. Return: 0, -E2BIG or -ENOMEM. */
int service_layer_append(struct service_config *config, const char *layer);
/** service_layer_known() - is @layer unpacked? */
bool service_layer_known(const struct service *service, const char *layer);
/** service_layer_add(), service_layer_drop() - it is now; it is not any more */
int service_layer_add(struct service *service, const char *layer);
void service_layer_drop(struct service *service, const char *layer);
/** service_publish() - tell the scheduler all images, after a change */
void service_publish(struct service *service);
/**
 * service_missing() - tell the scheduler that runs of @project (@fork: of its forks) cannot have
 * @name
 * @reason: shown to everyone who sees the run
 * @again:  it might be had in a while
 */
void service_missing(struct service *service, const char *name, const char *project, bool fork,
		     const char *reason, bool again);

#endif
