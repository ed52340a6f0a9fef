/* SPDX-License-Identifier: Apache-2.0 */
#include "images/service.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/config.h"
#include "common/messages/images.h"
#include "common/messages/layers.h"
#include "common/names.h"
#include "common/text.h"
#include "images/answers.h"
#include "images/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Write a reason to refuse an image without a pull. Return: false when a pull may bring it. */
static bool wanted_refuse(const struct service *service, const char *asked, const char *reference,
			  bool fork, char *out, size_t size)
{
	const char *name = image_name_strip(asked);

	if (!image_name_valid(reference))
		(void)snprintf(out, size, "that is not the name of an image");
	else if (fork && !policy_fork_may(&service->config.policy, reference))
		(void)snprintf(out, size,
			       "image \"%.200s\" is not here for runs of forks: they take images "
			       "that were imported or pulled without credentials, and those that "
			       "Fork= in [Images] names",
			       name);
	else if (!service->config.pull || !image_name_is_reference(asked))
		(void)snprintf(out, size,
			       "image \"%.200s\" is not here: \"runbookctl image pull "
			       "docker://%.200s\" or \"image import\" brings it",
			       name, name);
	else
		return false;
	return true;
}

/* Steps wait for an image: begin to pull it, or report at once that they cannot have it. */
static int on_wanted(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	char reference[IMAGE_NAME_MAX + 16];
	struct message_image_wanted wanted;
	struct error error = ERROR_INIT;
	char reason[REASON_MAX];
	struct job_request request = {.kind = JOB_PULL, .upload_fd = -1};
	const char *name;
	uint64_t job;
	int r = MESSAGE_GET(message, image_wanted, &wanted);

	if (r < 0)
		return r;
	name = image_name_strip(wanted.name);
	image_name_default(name, reference, sizeof(reference));
	request.name = request.source = reference;
	request.project = wanted.project;
	request.fork = wanted.fork;
	if (wanted_refuse(service, wanted.name, reference, wanted.fork, reason, sizeof(reason)))
		service_missing(service, name, wanted.project, wanted.fork, reason, false);
	else if (jobs_add(service->jobs, &request, &job, &error) < 0)
		service_missing(service, name, wanted.project, wanted.fork, error.text, true);
	return 0;
}

static const struct message_handler scheduler_handlers[] = {
	{MESSAGE_IMAGE_WANTED, on_wanted},
};

/* ---- runbookd's messages ---- */

static void config_clear(struct service_config *config)
{
	policy_clear(&config->policy);
	free(config->layers);
	*config = (struct service_config){.pull = false};
}

static int on_config_begin(void *userdata)
{
	struct service *service = userdata;

	config_clear(&service->pending);
	return 0;
}

static int on_config_images(struct channel *channel, struct message *message)
{
	struct service_config *config = &((struct service *)channel->userdata)->pending;
	struct message_config_images images;
	int r = MESSAGE_GET(message, config_images, &images);

	if (r < 0)
		return r;
	if (policy_auth_add(&config->policy, NULL, images.auth.data, images.auth.size) < 0)
		return -ENOMEM;
	config->pull = images.pull;
	return text_copy(config->insecure, sizeof(config->insecure), images.insecure);
}

static int on_config_rule(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_config_image_rule rule;
	int r = MESSAGE_GET(message, config_image_rule, &rule);

	return r < 0 ? r : policy_rule_add(&service->pending.policy, rule.rule, rule.value);
}

static int on_config_auth(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_config_image_auth auth;
	int r = MESSAGE_GET(message, config_image_auth, &auth);

	if (r < 0)
		return r;
	if (!project_name_valid(auth.project))
		return -EBADMSG;
	return policy_auth_add(&service->pending.policy, auth.project, auth.auth.data,
			       auth.auth.size);
}

static int on_config_layer(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_config_layer config;
	int r = MESSAGE_GET(message, config_layer, &config);

	if (r < 0)
		return r;
	if (!image_id_valid(config.layer))
		return -EBADMSG;
	return service_layer_append(&service->pending, config.layer);
}

static int on_config_end(void *userdata)
{
	struct service *service = userdata;

	config_clear(&service->config);
	service->config = service->pending;
	service->pending = (struct service_config){.pull = false};
	service->configured = true;
	service_publish(service);
	return 0;
}

static int on_unpacking(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_layer_unpacking unpacking;
	int r = MESSAGE_GET(message, layer_unpacking, &unpacking);

	if (r < 0)
		return r;
	jobs_unpacking(service->jobs, unpacking.job, message_take_fd(message, unpacking.report));
	return 0;
}

/* Read an error, which must have both a number and a sentence, or neither. */
static int layer_error(uint64_t number, const char *text, struct error *ret_error)
{
	if ((number == 0) != (*text == '\0'))
		return -EBADMSG;
	*ret_error = ERROR_INIT;
	if (number > 0)
		(void)error_set(ret_error, (int)number, "%s", text);
	return 0;
}

static int on_unpacked(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_layer_unpacked unpacked;
	struct error error;
	int r = MESSAGE_GET(message, layer_unpacked, &unpacked);

	if (r == 0)
		r = layer_error(unpacked.number, unpacked.error, &error);
	if (r < 0)
		return r;
	jobs_unpacked(service->jobs, unpacked.job, &error);
	return 0;
}

static int on_committed(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_layer_committed committed;
	struct error error;
	int r = MESSAGE_GET(message, layer_committed, &committed);

	if (r == 0)
		r = layer_error(committed.number, committed.error, &error);
	if (r < 0)
		return r;
	jobs_committed(service->jobs, committed.job, &error);
	return 0;
}

static int on_forgotten(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct message_layer_forgotten forgotten;
	int r = MESSAGE_GET(message, layer_forgotten, &forgotten);

	if (r < 0)
		return r;
	if (forgotten.used)
		log_info("layer %.12s is used by a step: the next prune removes it",
			 forgotten.layer);
	else
		service_layer_drop(service, forgotten.layer);
	return 0;
}

static const struct message_handler api_handlers[] = {
	{MESSAGE_IMAGE_REQUEST, answers_on_request},
};

static void on_peer_closed(struct channel *channel)
{
	log_info("the %s is away", role_name(channel->peer));
}

static int scheduler_attach(void *userdata, int fd)
{
	struct service *service = userdata;
	int r;

	channel_close(&service->scheduler);
	r = channel_open(&service->scheduler, service->loop, fd, ROLE_IMAGE, ROLE_SCHEDULER,
			 scheduler_handlers, ARRAY_SIZE(scheduler_handlers), on_peer_closed,
			 service);
	service_publish(service);
	return r;
}

static int api_attach(void *userdata, int fd)
{
	struct service *service = userdata;

	channel_close(&service->api);
	return channel_open(&service->api, service->loop, fd, ROLE_IMAGE, ROLE_API, api_handlers,
			    ARRAY_SIZE(api_handlers), on_peer_closed, service);
}

static const struct program_peer peers[] = {
	{ROLE_SCHEDULER, scheduler_attach},
	{ROLE_API, api_attach},
};

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CONFIG_IMAGES, on_config_images},   {MESSAGE_CONFIG_IMAGE_RULE, on_config_rule},
	{MESSAGE_CONFIG_IMAGE_AUTH, on_config_auth}, {MESSAGE_CONFIG_LAYER, on_config_layer},
	{MESSAGE_LAYER_UNPACKING, on_unpacking},     {MESSAGE_LAYER_UNPACKED, on_unpacked},
	{MESSAGE_LAYER_COMMITTED, on_committed},     {MESSAGE_LAYER_FORGOTTEN, on_forgotten},
};

/* ---- start and end ---- */

static int service_start(struct process *process, struct error *error)
{
	static struct service service;
	static struct store store = STORE_NULL;
	const struct service_setup *setup = process->userdata;
	int r;

	r = store_open(&store, setup->oci_path, error);
	if (r < 0)
		return r;
	store_sweep(&store);
	service.store = &store;
	service.oci_path = setup->oci_path;
	service.loop = process->loop;
	service.daemon = &process->daemon;
	process->userdata = &service;
	return jobs_new(&service, &service.jobs);
}

static void service_stop(void *userdata)
{
	struct service *service = userdata;

	service->jobs = jobs_free(service->jobs);
	channel_close(&service->scheduler);
	channel_close(&service->api);
	config_clear(&service->config);
	config_clear(&service->pending);
	store_close(service->store);
}

const struct program_service image_service = {
	.start = service_start,
	.config_begin = on_config_begin,
	.config_end = on_config_end,
	.handlers = daemon_handlers,
	.n_handlers = ARRAY_SIZE(daemon_handlers),
	.peers = peers,
	.n_peers = ARRAY_SIZE(peers),
	.stop = service_stop,
};
