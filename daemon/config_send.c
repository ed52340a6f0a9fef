/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/config_send.h"

#include "common/cleanup.h"
#include "common/image_rule.h"
#include "common/log.h"
#include "common/messages/config.h"
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

static void send_listener(struct sender *sender, const char *text, int fd)
{
	sender_send(sender, MESSAGE_NEW(config_listen, 0, .address = text, .socket = fd));
}

static void send_listeners(struct sender *sender, const struct listener_set *set)
{
	for (size_t i = 0; i < set->n_items; i++)
		send_listener(sender, set->items[i].text, set->items[i].fd);
}

static struct field_blob blob_of(const struct config_secret *secret)
{
	return (struct field_blob){.data = secret->data, .size = secret->size};
}

static void send_webhook(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	send_listeners(sender, &sender->daemon->webhook_listeners);
	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];

		if (project->secret.size == 0)
			continue; /* without a secret no delivery can be signed for it */
		sender_send(sender, MESSAGE_NEW(config_hook, 0, .project = project->name,
						.provider = project->provider,
						.secret = blob_of(&project->secret)));
	}
}

static uint64_t host_cpu_milli(void)
{
	cpu_set_t set;

	/* the processors that we may use: in a container fewer than the machine has */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1000;
	return (uint64_t)CPU_COUNT(&set) * 1000;
}

/* Sum of memory that running steps may reserve: what they can get together, unless configured. */
static uint64_t host_memory(const struct config *config)
{
	uint64_t steps = value_or(config->steps_memory, host_memory_default());

	return value_or(config->host_memory, steps);
}

/* The labels of every host, and those of the configuration. */
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
	char labels[HOST_LABELS_MAX + 1];

	host_labels(config, labels, sizeof(labels));
	sender_send(sender,
		    MESSAGE_NEW(config_host, 0, .step_cpu_milli = config->step_limits.cpu_milli,
				.step_memory = config->step_limits.memory, .labels = labels));
}

static void send_fetch_retry(struct sender *sender, const char *project, uint64_t seconds)
{
	sender_send(sender,
		    MESSAGE_NEW(config_fetch_retry, 0, .project = project, .seconds = seconds));
}

/* ---- retention ---- */

#define DAY_SEC (24ULL * 3600)

/* Limits of kinds that are not configured. Bytes of 0: a part of the file system, see below. */
static const struct config_keep keep_defaults[RETENTION_NUM] = {
	[RETENTION_RUNS] = {90 * DAY_SEC, 10000, 0},
	[RETENTION_LOGS] = {CONFIG_NO_LIMIT, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_ARTIFACTS] = {CONFIG_NO_LIMIT, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_TREES] = {14 * DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_UPLOADS] = {14 * DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
	[RETENTION_MIRRORS] = {DAY_SEC, CONFIG_NO_LIMIT, CONFIG_NO_LIMIT},
};
/* Logs and artifacts of all runs may take a half of the file system. */
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
	struct message_config_keep kinds[RETENTION_NUM];
	uint64_t logs = space_size(paths->log), state = space_size(paths->lib);
	uint64_t size = logs && logs < state ? logs : state;

	for (unsigned i = 0; i < RETENTION_NUM; i++) {
		struct config_keep keep = retention->kinds[i];

		if (defaults) {
			keep.age_sec = value_or(keep.age_sec, keep_defaults[i].age_sec);
			keep.count = value_or(keep.count, keep_defaults[i].count);
			keep.bytes = value_or(keep.bytes, keep_defaults[i].bytes);
		}
		if (defaults && !keep.bytes)
			keep.bytes = size ? size / KEEP_PART : CONFIG_NO_LIMIT;
		kinds[i] = (struct message_config_keep){keep.age_sec, keep.count, keep.bytes};
	}
	sender_send(sender, MESSAGE_NEW(config_retention, 0, .project = project, .kinds = kinds,
					.n_kinds = RETENTION_NUM));
}

static void send_project(struct sender *sender, const struct config_project *project)
{
	const char *place = project->workspace ? project->workspace : project->repository;

	sender_send(sender,
		    MESSAGE_NEW(config_project, 0, .name = project->name, .repository = place,
				.max_running = project->max_running, .weight = project->weight,
				.workspace = project->workspace != NULL));
	if (project->fetch_retry_sec != CONFIG_INHERIT)
		send_fetch_retry(sender, project->name, project->fetch_retry_sec);
	if (retention_said(&project->retention))
		send_retention(sender, project->name, &project->retention, false);
	if (project->fork_secrets)
		sender_send(sender, MESSAGE_NEW(config_fork_secrets, 0, .project = project->name));
}

static void send_scheduler(struct sender *sender)
{
	const struct daemon *daemon = sender->daemon;
	const struct config *config = daemon->config;
	uint64_t cpu_milli = value_or(config->host_cpu_milli, host_cpu_milli());

	sender_send(sender, MESSAGE_NEW(config_scheduler, 0, .instance = daemon->instance_id,
					.max_running = config->max_running, .cpu_milli = cpu_milli,
					.memory = host_memory(config), .url = config->public_url,
					.timeout_sec = config->default_timeout_sec));
	send_host(sender);
	send_fetch_retry(sender, "", config->fetch_retry_sec);
	sender_send(sender, MESSAGE_NEW(config_deliveries, 0, .seconds = config->deliveries_sec));
	send_retention(sender, "", &config->retention, true);
	if (sender->daemon->space_text[0])
		space_send(sender->daemon);
	for (size_t i = 0; i < config->n_projects; i++)
		send_project(sender, &config->projects[i]);
	sender_send(sender, key_message(&daemon->paths, false));
}

static void send_fetcher(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];

		if (!project->repository)
			continue;
		sender_send(sender, MESSAGE_NEW(config_repository, 0, .project = project->name,
						.url = project->repository, .user = project->user,
						.password = blob_of(&project->password),
						.ssh_key = blob_of(&project->ssh_key),
						.known_hosts = project->known_hosts.data));
	}
}

static void send_cacher(struct sender *sender)
{
	const struct config *config = sender->daemon->config;
	uint64_t of_project = value_or(config->project_artifacts, UINT64_MAX);

	sender_send(sender, MESSAGE_NEW(config_cacher, 0, .bytes_per_run = config->cacher_bytes,
					.count_per_run = config->cacher_count,
					.bytes_stored = value_or(config->artifacts, UINT64_MAX),
					.bytes_per_project = of_project));
	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];

		if (project->artifacts != 0)
			sender_send(sender,
				    MESSAGE_NEW(config_artifacts, 0, .project = project->name,
						.bytes = project->artifacts));
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
	sender_send(userdata, MESSAGE_NEW(config_layer, 0, .layer = layer));
}

static void send_image_rules(struct sender *sender, enum image_rule rule,
			     const struct config_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		sender_send(sender, MESSAGE_NEW(config_image_rule, 0, .rule = rule,
						.value = list->items[i]));
}

static void send_image_auth(struct sender *sender)
{
	const struct config *config = sender->daemon->config;

	for (size_t i = 0; i < config->n_projects; i++) {
		const struct config_project *project = &config->projects[i];

		if (project->auth.size > 0)
			sender_send(sender,
				    MESSAGE_NEW(config_image_auth, 0, .project = project->name,
						.auth = blob_of(&project->auth)));
	}
}

static void send_images(struct sender *sender)
{
	const struct config *config = sender->daemon->config;
	char insecure[CONFIG_REGISTRIES_MAX + 1] = "";

	_Static_assert(CONFIG_LIST_MAX <= IMAGE_RULES_MAX, "all of a list fit");

	for (size_t i = 0; i < config->images_insecure.n_items; i++) {
		(void)strcat(insecure, i ? " " : "");
		(void)strcat(insecure, config->images_insecure.items[i]);
	}
	sender_send(sender, MESSAGE_NEW(config_images, 0, .auth = blob_of(&config->images_auth),
					.insecure = insecure, .pull = config->images_pull != 0));
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

	sender_send(&sender, MESSAGE_NEW(config_begin, 0, .generation = daemon->generation));
	config_parts[index](&sender);
	sender_send(&sender, MESSAGE_NEW(config_end, 0, .generation = daemon->generation));
	if (sender.failed < 0)
		log_error("cannot send %s its configuration: %s", daemon->children[index].program,
			  strerror(-sender.failed));
}
