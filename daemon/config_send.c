/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/config_send.h"

#include "common/cleanup.h"
#include "common/image_rule.h"
#include "common/log.h"
#include "common/number.h"
#include "daemon/daemon.h"
#include "daemon/key_file.h"
#include "daemon/layers.h"
#include "daemon/space.h"
#include "sandbox/host.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>

struct sender {
	struct daemon *daemon;
	enum child_index index;
	int failed;
};

static void sender_send(struct sender *sender, struct message *message)
{
	int r = channel_send(link_to(sender->daemon, sender->index), message);

	if (r < 0 && sender->failed == 0)
		sender->failed = r;
}

static void send_bracket(struct sender *sender, enum message_type type)
{
	struct message *message = message_new(type, 0);

	if (message)
		message_put_u64(message, sender->daemon->generation);
	sender_send(sender, message);
}

static void send_listener(struct sender *sender, const char *text, int fd)
{
	struct message *message = message_new(MESSAGE_CONFIG_LISTEN, 0);

	if (message) {
		message_put_string(message, text);
		message_put_fd(message, fd);
	}
	sender_send(sender, message);
}

static void send_listeners(struct sender *sender, const struct listener_set *set)
{
	for (size_t i = 0; i < set->n_items; i++)
		send_listener(sender, set->items[i].text, set->items[i].fd);
}

static void send_webhook(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	send_listeners(sender, &sender->daemon->webhook_listeners);
	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];
		struct message *message;

		if (project->secret.size == 0)
			continue; /* nobody could sign a delivery for it */
		message = message_new(MESSAGE_CONFIG_HOOK, 0);
		if (message) {
			message_put_string(message, project->name);
			message_put_string(message, project->provider);
			message_put_bytes(message, project->secret.data, project->secret.size);
		}
		sender_send(sender, message);
	}
}

static uint64_t host_cpu_milli(void)
{
	cpu_set_t set;

	/* what we may run on, not what the machine has: a container knows less */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1000;
	return (uint64_t)CPU_COUNT(&set) * 1000;
}

/* What steps may be promised: no more than they can get together, unless somebody says so. */
static uint64_t host_memory(const struct config *config)
{
	uint64_t steps = first_of(config->steps_memory, host_memory_default());

	return first_of(config->host_memory, steps);
}

/* Those of the configuration, and what everybody may ask for without one. */
static void host_labels(const struct config *config, char *out, size_t size)
{
	struct utsname names;
	size_t n = (size_t)snprintf(out, size, "linux");

	if (uname(&names) == 0 && n < size)
		n += (size_t)snprintf(out + n, size - n, " %s", names.machine);
	for (size_t i = 0; i < config->host_labels.n_items && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, " %s", config->host_labels.items[i]);
}

static void send_host(struct sender *sender)
{
	const struct config *config = sender->daemon->config;
	struct message *message = message_new(MESSAGE_CONFIG_HOST, 0);
	char labels[HOST_LABELS_MAX + 1];

	host_labels(config, labels, sizeof(labels));
	if (message) {
		message_put_u64(message, config->step_limits.cpu_milli);
		message_put_u64(message, config->step_limits.memory);
		message_put_string(message, labels);
	}
	sender_send(sender, message);
}

static void send_fetch_retry(struct sender *sender, const char *project, uint64_t seconds)
{
	struct message *message = message_new(MESSAGE_CONFIG_FETCH_RETRY, 0);

	if (message) {
		message_put_string(message, project);
		message_put_u64(message, seconds);
	}
	sender_send(sender, message);
}

/* ---- retention ---- */

#define DAY_SEC (24ULL * 3600)

/* What rules where nothing is said. Bytes of 0: a part of the file system, see below. */
static const struct config_keep keep_defaults[RETENTION_NUM] = {
	[RETENTION_RUNS] = {90 * DAY_SEC, 10000, 0},
	[RETENTION_LOGS] = {CONFIG_NO_LIMIT, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_ARTIFACTS] = {CONFIG_NO_LIMIT, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_TREES] = {14 * DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_UPLOADS] = {14 * DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_MIRRORS] = {DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
};
/* Logs and artifacts of all runs: this part of the file system. */
#define KEEP_PART 2

static bool retention_said(const struct config_retention *retention)
{
	static const struct config_retention nothing;

	return memcmp(retention, &nothing, sizeof(nothing)) != 0;
}

static void send_retention(struct sender *sender, const char *project,
			   const struct config_retention *retention, bool defaults)
{
	const struct paths *paths = &sender->daemon->paths;
	struct message *message = message_new(MESSAGE_CONFIG_RETENTION, 0);
	uint64_t logs = space_size(paths->log), state = space_size(paths->lib);
	uint64_t size = logs && logs < state ? logs : state;

	if (message)
		message_put_string(message, project);
	for (unsigned i = 0; message && i < RETENTION_NUM; i++) {
		struct config_keep keep = retention->kinds[i];

		if (defaults) {
			keep.age_sec = first_of(keep.age_sec, keep_defaults[i].age_sec);
			keep.count = first_of(keep.count, keep_defaults[i].count);
			keep.bytes = first_of(keep.bytes, keep_defaults[i].bytes);
		}
		if (defaults && !keep.bytes)
			keep.bytes = size ? size / KEEP_PART : CONFIG_NO_LIMIT;
		message_put_u64(message, keep.age_sec);
		message_put_u64(message, keep.count);
		message_put_u64(message, keep.bytes);
	}
	sender_send(sender, message);
}

static void send_scheduler(struct sender *sender)
{
	const struct daemon *daemon = sender->daemon;
	const struct config *config = daemon->config;
	struct message *message = message_new(MESSAGE_CONFIG_SCHEDULER, 0);

	if (message) {
		message_put_string(message, daemon->instance_id);
		message_put_u64(message, config->max_running);
		message_put_u64(message, first_of(config->host_cpu_milli, host_cpu_milli()));
		message_put_u64(message, host_memory(config));
		message_put_string(message, config->public_url);
		message_put_u64(message, config->default_timeout_sec);
	}
	sender_send(sender, message);
	send_host(sender);
	send_fetch_retry(sender, "", config->fetch_retry_sec);
	message = message_new(MESSAGE_CONFIG_DELIVERIES, 0);
	if (message)
		message_put_u64(message, config->deliveries_sec);
	sender_send(sender, message);
	send_retention(sender, "", &config->retention, true);
	if (sender->daemon->space_text[0])
		space_send(sender->daemon);
	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];

		message = message_new(MESSAGE_CONFIG_PROJECT, 0);
		if (message) {
			message_put_string(message, project->name);
			message_put_string(message, project->workspace ? project->workspace
								       : project->repository);
			message_put_u64(message, project->max_running);
			message_put_u64(message, project->weight);
			message_put_u64(message, project->workspace != NULL);
		}
		sender_send(sender, message);
		if (project->fetch_retry_sec != CONFIG_INHERIT)
			send_fetch_retry(sender, project->name, project->fetch_retry_sec);
		if (retention_said(&project->retention))
			send_retention(sender, project->name, &project->retention, false);
		if (!project->fork_secrets)
			continue;
		message = message_new(MESSAGE_CONFIG_FORK_SECRETS, 0);
		if (message)
			message_put_string(message, project->name);
		sender_send(sender, message);
	}
	sender_send(sender, key_message(&daemon->paths, false));
}

static void put_secret(struct message *message, const struct config_secret *secret)
{
	message_put_bytes(message, secret->data ? secret->data : "", secret->size);
}

static void send_fetcher(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];
		struct message *message;

		if (!project->repository)
			continue;
		message = message_new(MESSAGE_CONFIG_REPOSITORY, 0);
		if (message) {
			message_put_string(message, project->name);
			message_put_string(message, project->repository);
			message_put_string(message, project->user);
			put_secret(message, &project->password);
			put_secret(message, &project->ssh_key);
			message_put_string(message, project->known_hosts.data);
		}
		sender_send(sender, message);
	}
}

static void send_cacher(struct sender *sender)
{
	const struct config *config = sender->daemon->config;
	struct message *message = message_new(MESSAGE_CONFIG_CACHER, 0);

	if (message) {
		message_put_u64(message, config->cacher_bytes);
		message_put_u64(message, config->cacher_count);
		message_put_u64(message, first_of(config->artifacts, UINT64_MAX));
		message_put_u64(message, first_of(config->project_artifacts, UINT64_MAX));
	}
	sender_send(sender, message);
	for (size_t i = 0; i < config->n_projects; i++) {
		if (config->projects[i].artifacts == 0)
			continue;
		message = message_new(MESSAGE_CONFIG_ARTIFACTS, 0);
		if (message) {
			message_put_string(message, config->projects[i].name);
			message_put_u64(message, config->projects[i].artifacts);
		}
		sender_send(sender, message);
	}
}

static void send_api(struct sender *sender)
{
	char text[PATH_MAX + 16];

	(void)snprintf(text, sizeof(text), "unix:%s/api.sock", sender->daemon->paths.run);
	send_listener(sender, text, sender->daemon->api_socket);
	send_listeners(sender, &sender->daemon->api_listeners);
}

static void send_layer(void *userdata, const char *layer)
{
	struct message *message = message_new(MESSAGE_CONFIG_LAYER, 0);

	if (message)
		message_put_string(message, layer);
	sender_send(userdata, message);
}

static void send_image_rules(struct sender *sender, enum image_rule rule,
			     const struct config_list *list)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct message *message = message_new(MESSAGE_CONFIG_IMAGE_RULE, 0);

		if (message) {
			message_put_u64(message, rule);
			message_put_string(message, list->items[i]);
		}
		sender_send(sender, message);
	}
}

static void send_image_auth(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	for (size_t i = 0; i < config->n_projects; i++) {
		struct message *message;

		if (config->projects[i].auth.size == 0)
			continue;
		message = message_new(MESSAGE_CONFIG_IMAGE_AUTH, 0);
		if (message) {
			message_put_string(message, config->projects[i].name);
			put_secret(message, &config->projects[i].auth);
		}
		sender_send(sender, message);
	}
}

static void send_images(struct sender *sender)
{
	const struct config *config = sender->daemon->config;
	struct message *message = message_new(MESSAGE_CONFIG_IMAGES, 0);
	char insecure[CONFIG_LIST_MAX * (IMAGE_NAME_MAX + 1) + 1] = "";

	for (size_t i = 0; i < config->images_insecure.n_items; i++) {
		(void)strcat(insecure, i ? " " : "");
		(void)strcat(insecure, config->images_insecure.items[i]);
	}
	if (message) {
		put_secret(message, &config->images_auth);
		message_put_string(message, insecure);
		message_put_u64(message, config->images_pull);
	}
	sender_send(sender, message);
	send_image_rules(sender, IMAGE_RULE_FORK, &config->images_fork);
	send_image_rules(sender, IMAGE_RULE_PRIVATE, &config->images_private);
	send_image_auth(sender);
	layers_announce(sender->daemon->layers, send_layer, sender);
}

static void (*const config_parts[CHILD_NUM])(struct sender *sender) = {
	[CHILD_SCHEDULER] = send_scheduler,
	[CHILD_FETCHER] = send_fetcher,
	[CHILD_CACHER] = send_cacher,
	[CHILD_WEBHOOK] = send_webhook,
	[CHILD_API] = send_api,
	[CHILD_IMAGE] = send_images,
};

void config_send(struct daemon *daemon, enum child_index index)
{
	struct sender sender = {.daemon = daemon, .index = index};

	send_bracket(&sender, MESSAGE_CONFIG_BEGIN);
	config_parts[index](&sender);
	send_bracket(&sender, MESSAGE_CONFIG_END);
	if (sender.failed < 0)
		log_error("cannot send %s its configuration: %s", daemon->children[index].program,
			  strerror(-sender.failed));
}
