/* SPDX-License-Identifier: Apache-2.0 */
#include "images/service.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/messages/images.h"
#include "images/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX (IMAGES_MAX * IMAGE_LAYERS_MAX)

/* ---- unpacked layers ---- */

int service_layer_append(struct service_config *config, const char *layer)
{
	if (config->n_layers == LAYERS_MAX)
		return -E2BIG;
	if (config->n_layers == config->room_layers) {
		size_t room = config->room_layers ? config->room_layers * 2 : 64;
		void *grown = reallocarray(config->layers, room, IMAGE_ID_SIZE);

		if (!grown)
			return -ENOMEM;
		config->layers = grown;
		config->room_layers = room;
	}
	memcpy(config->layers[config->n_layers++], layer, IMAGE_ID_SIZE);
	return 0;
}

bool service_layer_known(const struct service *service, const char *layer)
{
	for (size_t i = 0; i < service->config.n_layers; i++) {
		if (strcmp(service->config.layers[i], layer) == 0)
			return true;
	}
	return false;
}

int service_layer_add(struct service *service, const char *layer)
{
	return service_layer_known(service, layer) ? 0
						   : service_layer_append(&service->config, layer);
}

void service_layer_drop(struct service *service, const char *layer)
{
	struct service_config *config = &service->config;

	for (size_t i = 0; i < config->n_layers; i++) {
		if (strcmp(config->layers[i], layer) != 0)
			continue;
		config->n_layers--;
		memmove(config->layers[i], config->layers[config->n_layers], IMAGE_ID_SIZE);
		return;
	}
}

void service_listed(const struct service *service, char *insecure, const char **ret_listed)
{
	const struct policy *policy = &service->config.policy;
	char *rest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < policy->n_rules[IMAGE_RULE_PRIVATE]; i++)
		ret_listed[n++] = policy->rules[IMAGE_RULE_PRIVATE][i];
	strcpy(insecure, service->config.insecure);
	for (char *at = strtok_r(insecure, " ", &rest); at && n < LISTED_MAX;
	     at = strtok_r(NULL, " ", &rest))
		ret_listed[n++] = at;
	ret_listed[n] = NULL;
}

/* ---- reports to the scheduler ---- */

static int publish_image(void *userdata, const struct image_record *record, const char *data,
			 size_t size)
{
	struct service *service = userdata;

	/* a step cannot use an image of which a layer is missing */
	for (size_t i = 0; i < record->n_layers; i++) {
		if (!service_layer_known(service, record->layers[i]))
			return 0;
	}
	return channel_send(&service->scheduler,
			    MESSAGE_NEW(image_known, 0, .record = {data, size}));
}

/*
 * The scope of an image that a version without scopes pulled: every project, but forks only if it
 * cannot have been pulled with credentials.
 */
static struct scope scope_of_old(struct service *service, const char *id)
{
	cleanup_free struct image_record *record = malloc(sizeof(*record));
	cleanup_free char *data = NULL;
	struct scope scope = {.everyone = true, .forks = service->config.policy.auth_size == 0};
	size_t size;

	if (!scope.forks && record &&
	    store_image_get(service->store, id, &data, &size, record) == 0)
		scope.forks = job_kind_parse(record->source) != JOB_NUM_KINDS;
	return scope;
}

static int publish_name(void *userdata, const char *name, const char *id)
{
	struct service *service = userdata;
	struct scope scope = {.forks = false};
	int r = scope_read(service->store, name, id, &scope);

	if (r == -ENOENT)
		scope = scope_of_old(service, id);
	else if (r < 0)
		return 0; /* the scope is unusable, so steps have the image pulled again */
	return channel_send(
		&service->scheduler,
		MESSAGE_NEW(image_named, 0, .name = name, .id = id,
			    .forks = scope.forks || policy_fork_may(&service->config.policy, name),
			    .everyone = scope.everyone, .projects = scope.projects));
}

void service_publish(struct service *service)
{
	int r;

	if (!service->scheduler.open || !service->configured)
		return;
	r = channel_send(&service->scheduler, MESSAGE_NEW(images_begin, 0));
	if (r == 0)
		r = store_each_image(service->store, publish_image, service);
	if (r == 0)
		r = store_each_name(service->store, publish_name, service);
	if (r == 0)
		r = channel_send(&service->scheduler, MESSAGE_NEW(images_end, 0));
	if (r < 0)
		log_error("cannot report to the scheduler which images are here: %s", strerror(-r));
}

void service_missing(struct service *service, const char *name, const char *project, bool fork,
		     const char *reason, bool again)
{
	if (!service->scheduler.open)
		return; /* on its next channel the scheduler sends IMAGE_WANTED again */
	(void)channel_send(&service->scheduler,
			   MESSAGE_NEW(image_missing, 0, .name = name, .project = project,
				       .fork = fork, .error = reason, .again = again));
}
