/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the daemon, the webhook process and the fetcher. A handler reads all fields of a
 * message and calls the function of the object that it concerns.
 */
#include "scheduler/peers/requests.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/memory_trim.h"
#include "common/message_table.h"
#include "common/messages/channels.h"
#include "common/messages/config.h"
#include "common/messages/deliveries.h"
#include "common/messages/fetching.h"
#include "common/messages/host.h"
#include "common/messages/steps.h"
#include "common/names.h"
#include "common/runbook_name.h"
#include "common/text.h"
#include "scheduler/answers/answers.h"
#include "scheduler/engine/executor_sync.h"
#include "scheduler/engine/retention.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/source.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/step_result.h"
#include "scheduler/engine/trigger.h"
#include "scheduler/model/json.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/steps.h"
#include "scheduler/peers/configuration.h"
#include "scheduler/peers/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WEIGHT_MAX 1000

static struct scheduler *channel_scheduler(const struct channel *channel)
{
	return ((struct peer *)channel->userdata)->scheduler;
}

static struct executor *channel_executor(const struct channel *channel)
{
	return executor_of(channel->userdata);
}

/* ---- daemon: channels and configuration ---- */

static int handle_channel(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_channel opened;
	struct peer *peers[] = {&scheduler->webhook, &scheduler->fetcher, &scheduler->api,
				&scheduler->image, &scheduler->cacher};
	int r = MESSAGE_GET(message, channel, &opened);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		if (peers[i]->role == opened.role)
			return peer_open(peers[i], message_take_fd(message, opened.socket));
	}
	return -EINVAL;
}

static int handle_config_begin(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_config_begin begin; /* its generation is of no use here */
	int r = MESSAGE_GET(message, config_begin, &begin);

	if (r < 0)
		return r;
	config_discard(scheduler);
	scheduler->staging = channel_executor(channel);
	scheduler->staged_config = scheduler->config;
	scheduler->staged_executor = scheduler->staging->config;
	return 0;
}

static int handle_config_scheduler(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_config_scheduler said;
	struct scheduler_config config = {0};
	struct executor_config executor = {0};
	int r = MESSAGE_GET(message, config_scheduler, &said);

	if (r == 0)
		r = text_copy(executor.instance, sizeof(executor.instance), said.instance);
	if (r == 0)
		r = text_copy(config.url, sizeof(config.url), said.url);
	if (r < 0 || !scheduler->staging || !said.instance[0])
		return r < 0 ? r : -EPROTO;
	executor.max_running = said.max_running;
	executor.cpu_milli = said.cpu_milli;
	executor.memory = said.memory;
	config.timeout_sec = said.timeout_sec;
	scheduler->staged_config = config;
	scheduler->staged_executor = executor;
	return 0;
}

static int handle_config_host(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct executor_config *config = &scheduler->staged_executor;
	struct message_config_host host;
	int r = MESSAGE_GET(message, config_host, &host);

	if (r < 0)
		return r;
	if (!scheduler->staging)
		return -EPROTO;
	config->step_cpu_milli = host.step_cpu_milli;
	config->step_memory = host.step_memory;
	return text_copy(config->labels, sizeof(config->labels), host.labels);
}

static int handle_config_project(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_config_project project;
	struct staged_project *staged;
	int r = MESSAGE_GET(message, config_project, &project);

	if (r < 0)
		return r;
	if (!scheduler->staging || !project_name_valid(project.name))
		return -EPROTO;
	staged = calloc(1, sizeof(*staged));
	if (!staged)
		return -ENOMEM;
	staged->repository = strdup(project.repository);
	if (!staged->repository ||
	    text_copy(staged->name, sizeof(staged->name), project.name) < 0) {
		free(staged->repository);
		free(staged);
		return -ENOMEM;
	}
	staged->max_running = project.max_running;
	staged->weight = project.weight > WEIGHT_MAX ? WEIGHT_MAX
			 : project.weight	     ? project.weight
						     : 1;
	staged->workspace = project.workspace;
	staged->next = scheduler->staged;
	scheduler->staged = staged;
	return 0;
}

static int handle_config_fetch_retry(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct staged_project *staged = scheduler->staged;
	struct message_config_fetch_retry retry;
	int r = MESSAGE_GET(message, config_fetch_retry, &retry);

	if (r < 0)
		return r;
	while (staged && strcmp(staged->name, retry.project) != 0)
		staged = staged->next;
	if (!scheduler->staging || (retry.project[0] && !staged) ||
	    retry.seconds > FETCH_RETRY_MAX_SEC)
		return -EPROTO;
	if (!retry.project[0]) {
		scheduler->staged_config.fetch_retry_sec = retry.seconds;
		return 0;
	}
	staged->fetch_retry_sec = retry.seconds;
	staged->own_retry = true;
	return 0;
}

static int handle_config_deliveries(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_config_deliveries deliveries;
	int r = MESSAGE_GET(message, config_deliveries, &deliveries);

	if (r < 0)
		return r;
	if (!scheduler->staging || deliveries.seconds > DELIVERIES_MAX_SEC)
		return -EPROTO;
	scheduler->staged_config.deliveries_sec = deliveries.seconds;
	return 0;
}

static int handle_config_end(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct executor *executor = channel_executor(channel);
	struct message_config_end end;
	int r = MESSAGE_GET(message, config_end, &end);

	if (r < 0)
		return r;
	if (scheduler->staging != executor || !scheduler->staged_executor.instance[0])
		return -EPROTO;
	config_apply(scheduler);
	if (executor->synced_instance[0]) {
		executor_sync(executor, executor->synced_instance);
		executor->synced_instance[0] = '\0';
	}
	memory_trim(); /* loading the store and the configuration are over */
	return 0;
}

/* ---- daemon: steps ---- */

static int handle_step_started(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct executor *executor = channel_executor(channel);
	struct message_step_started started;
	struct step *step;
	int r = MESSAGE_GET(message, step_started, &started);

	if (r < 0)
		return r;
	step = executor_step(executor, started.order);
	if (step) {
		step->confirmed = true;
		step->started_usec = started.started_usec;
		store_attempt_started(scheduler->store, started.order, started.container,
				      started.started_usec);
		/* not worth a commit of its own: runbookd reports it to a new scheduler again */
		turn_schedule_soon(scheduler);
		return 0;
	}
	/* The store has no claim for this order: it may have been restored from a backup. */
	log_warning("order %" PRIu64 " runs, but was never claimed: cancelling it", started.order);
	outbox_put(&executor->peer, MESSAGE_NEW(step_cancel, started.order, .order = started.order,
						.why = STEP_RESULT_CANCELLED));
	return 0;
}

static int handle_step_exited(struct channel *channel, struct message *message)
{
	struct executor *executor = channel_executor(channel);
	struct message_step_exited exited;
	struct step_end end;
	struct step *step;
	int r = MESSAGE_GET(message, step_exited, &exited);

	if (r < 0)
		return r;
	end = (struct step_end){
		.result = exited.result,
		.exit_code = exited.exit_code,
		.signal = exited.signal,
		.reason = exited.reason,
		.started_usec = exited.started_usec,
		.ended_usec = exited.ended_usec,
		.log_bytes = exited.log_bytes,
		.usage = step_usage_of(exited.figures, exited.n_figures),
	};
	step = executor_step(executor, exited.order);
	/* unknown: the result was committed, but its acknowledgement was lost */
	if (step)
		step_exited(step, &end);
	outbox_put(&executor->peer, MESSAGE_NEW(step_ack, exited.order, .order = exited.order));
	return 0;
}

static int handle_step_synced(struct channel *channel, struct message *message)
{
	struct executor *executor = channel_executor(channel);
	struct message_step_synced synced;
	int r = MESSAGE_GET(message, step_synced, &synced);

	if (r < 0)
		return r;
	/* an order that is sent again needs the timeout of the configuration */
	if (!executor_configured(executor))
		return text_copy(executor->synced_instance, sizeof(executor->synced_instance),
				 synced.instance);
	executor_sync(executor, synced.instance);
	return 0;
}

static int handle_host_space(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct message_host_space space;
	int r = MESSAGE_GET(message, host_space, &space);

	if (r < 0)
		return r;
	executor_set_space(channel_executor(channel), space.reason);
	if (!space.reason[0])
		source_retry_space(scheduler);
	return 0;
}

/* Waiting steps stay in the queue: the next runbookd starts them. */
static int handle_steps_stopping(struct channel *channel, struct message *message)
{
	struct message_steps_stopping stopping;
	int r = MESSAGE_GET(message, steps_stopping, &stopping);

	if (r < 0)
		return r;
	executor_set_stopping(channel_executor(channel));
	return 0;
}

/* ---- trees ---- */

static int handle_workspace_opened(struct channel *channel, struct message *message)
{
	struct run *run = map_get(&channel_scheduler(channel)->serials, message->serial);
	struct message_workspace_opened opened;
	cleanup_close int fd = -1;
	int r = MESSAGE_GET(message, workspace_opened, &opened);

	if (r < 0 || !run || run->row.source != RUN_SOURCE_WORKSPACE)
		return r;
	fd = message_take_fd(message, opened.runbook);
	if (opened.error[0])
		source_failed(run, FETCH_DENIED, opened.error);
	else
		source_arrived(run, &(struct source_tree){"", "", "", "", "", false, fd, -1,
							  opened.misnamed});
	return 0;
}

static int handle_fetched(struct channel *channel, struct message *message)
{
	struct run *run = map_get(&channel_scheduler(channel)->serials, message->serial);
	struct message_fetched fetched;
	int r = MESSAGE_GET(message, fetched, &fetched);

	if (r < 0)
		return r;
	if ((fetched.view[0] && !commit_valid(fetched.view)) ||
	    (fetched.view_objects && !fetched.view[0]) ||
	    (fetched.default_branch[0] && !ref_name_valid(fetched.default_branch)))
		return -EINVAL;
	if (!run || run->row.source == RUN_SOURCE_WORKSPACE)
		return 0; /* cancelled in the meantime */
	if (fetched.outcome != FETCH_OK)
		source_failed(run, fetched.outcome,
			      fetched.error[0] ? fetched.error : "the commit could not be fetched");
	else
		source_arrived(run, &(struct source_tree){
					    .commit = fetched.commit,
					    .title = fetched.title,
					    .author = fetched.author,
					    .default_branch = fetched.default_branch,
					    .view = fetched.view,
					    .view_objects = fetched.view_objects,
					    .runbook_fd = fetched.runbook,
					    .paths_fd = fetched.paths,
					    .misnamed = fetched.misnamed,
				    });
	return 0;
}

/* ---- webhook ---- */

static struct message *trigger_reply(struct scheduler *scheduler, uint64_t serial,
				     const struct trigger_answer *answer)
{
	char url[RUN_URL_MAX];

	if (!answer->run)
		return MESSAGE_NEW(trigger_refused, serial, .status = answer->status,
				   .reason = answer->reason);
	/* the field takes URL_MAX bytes: leave out a longer address */
	if (!run_url(url, sizeof(url), scheduler->config.url, answer->run) || strlen(url) > URL_MAX)
		url[0] = '\0';
	return MESSAGE_NEW(trigger_accepted, serial, .run = answer->run,
			   .duplicate = answer->status == 200, .url = url);
}

static int handle_trigger(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct trigger_answer answer = {.status = 503};
	struct message_trigger sent;
	int r = MESSAGE_GET(message, trigger, &sent);

	if (r < 0)
		return r;
	if (sent.digest.size != 0 && sent.digest.size != STORE_DIGEST_SIZE)
		return -EINVAL;
	trigger_delivery(scheduler,
			 &(const struct trigger){
				 .project = sent.project,
				 .delivery = sent.delivery,
				 .event = sent.event,
				 .ref = sent.ref,
				 .before = sent.before,
				 .after = sent.after,
				 .actor = sent.actor,
				 .title = sent.title,
				 .pull_request = sent.pull_request,
				 .base_ref = sent.base_ref,
				 .from_fork = sent.from_fork,
				 .action = sent.action,
				 .body = sent.digest.size ? sent.digest.data : NULL,
			 },
			 &answer);
	outbox_put(&scheduler->webhook, trigger_reply(scheduler, message->serial, &answer));
	return 0;
}

/* ---- tables ---- */

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CHANNEL, handle_channel},
	{MESSAGE_CONFIG_BEGIN, handle_config_begin},
	{MESSAGE_CONFIG_SCHEDULER, handle_config_scheduler},
	{MESSAGE_CONFIG_HOST, handle_config_host},
	{MESSAGE_CONFIG_PROJECT, handle_config_project},
	{MESSAGE_CONFIG_FETCH_RETRY, handle_config_fetch_retry},
	{MESSAGE_CONFIG_DELIVERIES, handle_config_deliveries},
	{MESSAGE_CONFIG_END, handle_config_end},
	{MESSAGE_HOST_SPACE, handle_host_space},
	{MESSAGE_HOST_SHORT, retention_handle_short},
	{MESSAGE_CONFIG_RETENTION, retention_handle_config},
	{MESSAGE_LOG_REMOVED, retention_handle_log_removed},
	{MESSAGE_CONFIG_FORK_SECRETS, secrets_handle_config},
	{MESSAGE_SECRET_KEYS, secrets_handle_keys},
	{MESSAGE_STEP_STARTED, handle_step_started},
	{MESSAGE_STEP_EXITED, handle_step_exited},
	{MESSAGE_STEP_SYNCED, handle_step_synced},
	{MESSAGE_STEPS_STOPPING, handle_steps_stopping},
	{MESSAGE_WORKSPACE_OPENED, handle_workspace_opened},
};

static const struct message_handler webhook_handlers[] = {
	{MESSAGE_TRIGGER, handle_trigger},
};

static const struct message_handler fetcher_handlers[] = {
	{MESSAGE_FETCHED, handle_fetched},
	{MESSAGE_TREE_REMOVED, retention_handle_tree_removed},
	{MESSAGE_MIRROR_PRUNED, retention_handle_mirror_pruned},
};

static const struct message_handler cacher_handlers[] = {
	{MESSAGE_ARTIFACTS_MEASURED, retention_handle_artifacts_measured},
	{MESSAGE_ARTIFACTS_REMOVED, retention_handle_artifacts_removed},
};

static const struct message_handler api_handlers[] = {
	{MESSAGE_API_REQUEST, answers_handle},
};

struct message_table requests_of(enum process_role role)
{
#define TABLE(handlers) ((struct message_table){(handlers), ARRAY_SIZE(handlers)})
	switch (role) {
	case ROLE_DAEMON:
		return TABLE(daemon_handlers);
	case ROLE_WEBHOOK:
		return TABLE(webhook_handlers);
	case ROLE_FETCHER:
		return TABLE(fetcher_handlers);
	case ROLE_CACHER:
		return TABLE(cacher_handlers);
	case ROLE_API:
		return TABLE(api_handlers);
	case ROLE_IMAGE:
		return (struct message_table){images_handlers, n_images_handlers};
	default:
		return (struct message_table){NULL, 0};
	}
#undef TABLE
}
