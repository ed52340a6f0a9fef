/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbook-cacher: the service behind cacher(1).
 *
 * runbookd starts it with its channel on descriptor 3, and sends a listening socket for each step.
 * The api process may list, read and store artifacts, the scheduler remove them.
 */

#include "cacher/answers.h"
#include "cacher/retention.h"
#include "cacher/service.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/artifacts.h"
#include "common/messages/config.h"
#include "common/names.h"
#include "common/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct cacher {
	struct loop *loop;
	struct store *store;
	struct service *service;
	struct answers *answers;
	struct retention *retention;
	struct channel api;
	struct store_limits limits; /* of a configuration that is being received */
	struct project_limit {
		char name[PROJECT_NAME_MAX + 1];
		uint64_t bytes;
	} * projects; /* likewise */
	size_t n_projects, max_projects;
};

/* ---- messages ---- */

static const struct message_handler api_handlers[] = {
	{MESSAGE_ARTIFACT_LIST, answers_on_list},
	{MESSAGE_ARTIFACT_OPEN, answers_on_open},
	{MESSAGE_ARTIFACT_PUT, answers_on_put},
};

static void on_api_closed(struct channel *channel)
{
	answers_attach(channel->userdata, NULL);
	log_debug("the api is away");
}

static int api_attach(void *userdata, int fd)
{
	struct cacher *cacher = userdata;
	int r;

	channel_close(&cacher->api);
	r = channel_open(&cacher->api, cacher->loop, fd, ROLE_CACHER, ROLE_API, api_handlers,
			 ARRAY_SIZE(api_handlers), on_api_closed, cacher->answers);
	answers_attach(cacher->answers, r < 0 ? NULL : &cacher->api);
	return r;
}

static int scheduler_attach(void *userdata, int fd)
{
	return retention_attach(((struct cacher *)userdata)->retention, fd);
}

static const struct program_peer peers[] = {
	{ROLE_API, api_attach},
	{ROLE_SCHEDULER, scheduler_attach},
};

static int on_config_begin(void *userdata)
{
	struct cacher *cacher = userdata;

	cacher->limits = STORE_LIMITS_DEFAULT;
	cacher->n_projects = 0;
	return 0;
}

static int on_config_cacher(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	struct message_config_cacher config;
	int r = MESSAGE_GET(message, config_cacher, &config);

	if (r < 0)
		return r;
	cacher->limits = (struct store_limits){
		.bytes_per_run = config.bytes_per_run,
		.count_per_run = config.count_per_run,
		.bytes_stored = config.bytes_stored,
		.bytes_per_project = config.bytes_per_project,
	};
	return 0;
}

static int on_config_artifacts(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	struct message_config_artifacts config;
	int r = MESSAGE_GET(message, config_artifacts, &config);

	if (r < 0)
		return r;
	if (!project_name_valid(config.project))
		return -EBADMSG;
	if (cacher->n_projects == cacher->max_projects) {
		size_t max = cacher->max_projects ? 2 * cacher->max_projects : 16;
		struct project_limit *projects =
			reallocarray(cacher->projects, max, sizeof(*projects));

		if (!projects)
			return -ENOMEM;
		cacher->projects = projects;
		cacher->max_projects = max;
	}
	(void)snprintf(cacher->projects[cacher->n_projects].name, PROJECT_NAME_MAX + 1, "%s",
		       config.project);
	cacher->projects[cacher->n_projects++].bytes = config.bytes;
	return 0;
}

static int on_config_end(void *userdata)
{
	struct cacher *cacher = userdata;

	store_set_limits(cacher->store, &cacher->limits);
	for (size_t i = 0; i < cacher->n_projects; i++)
		if (store_limit_project(cacher->store, cacher->projects[i].name,
					cacher->projects[i].bytes) < 0)
			return -ENOMEM;
	return 0;
}

static int on_listen(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	struct message_cacher_listen request;
	int r = MESSAGE_GET(message, cacher_listen, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project) || !step_slug_valid(request.slug))
		return -EBADMSG;
	r = service_listen(cacher->service, request.order, request.project, request.run,
			   request.socket);
	if (r == 0)
		(void)message_take_fd(message, request.socket); /* the service owns it now */
	else
		log_error("cannot serve artifacts to step %s of run %s/%llu: %s", request.slug,
			  request.project, (unsigned long long)request.run, strerror(-r));
	return r == -EBADMSG ? r : 0;
}

static int on_close(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	struct message_cacher_close request;
	int r = MESSAGE_GET(message, cacher_close, &request);

	if (r < 0)
		return r;
	service_close(cacher->service, request.order);
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CONFIG_CACHER, on_config_cacher},
	{MESSAGE_CONFIG_ARTIFACTS, on_config_artifacts},
	{MESSAGE_CACHER_LISTEN, on_listen},
	{MESSAGE_CACHER_CLOSE, on_close},
};

/* ---- start ---- */

#define ARTIFACTS "/artifacts" /* beneath paths.lib */

static int start(struct process *process, struct error *error)
{
	static struct cacher cacher;
	char path[PATH_MAX + 16];
	int r;

	(void)snprintf(path, sizeof(path), "%s" ARTIFACTS, process->paths.lib);
	r = store_open(path, &cacher.store, error);
	if (r < 0)
		return r;
	cacher.loop = process->loop;
	r = service_new(cacher.loop, cacher.store, &cacher.service);
	if (r == 0)
		r = answers_new(cacher.loop, cacher.store, &cacher.answers);
	if (r == 0)
		r = retention_new(cacher.loop, cacher.store, &cacher.retention);
	if (r == 0)
		answers_notify(cacher.answers, retention_put, cacher.retention);
	process->userdata = &cacher;
	return r;
}

static const struct program_service cacher_service = {
	.start = start,
	.config_begin = on_config_begin,
	.config_end = on_config_end,
	.handlers = daemon_handlers,
	.n_handlers = ARRAY_SIZE(daemon_handlers),
	.peers = peers,
	.n_peers = ARRAY_SIZE(peers),
};

static const struct lock_down_path reached[] = {
	{.place = PLACE_LIB, .path = ARTIFACTS, .write = true, .mode = 0700},
};

static const char *const syscalls[] = {
	"openat",  "mkdirat", "renameat",    "unlinkat",	"getdents64", "fsync", "fchmod",
	"fstatfs", "accept4", "getsockname", "sync_file_range", "ftruncate",  NULL};

static const struct lock_down cacher_lock_down = {
	.role = ROLE_CACHER,
	.paths = reached,
	.n_paths = ARRAY_SIZE(reached),
	.syscalls = syscalls,
	/* one descriptor for each connection that waits or is served, and one for each step */
	.fds_max = UINT64_MAX,
};

static const struct program cacher_program = {
	.name = "runbook-cacher",
	.purpose = "Keeps the artifacts of runs.",
	.lock_down = &cacher_lock_down,
	.service = &cacher_service,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &cacher_program};

	return program_main(&process, argc, argv);
}
