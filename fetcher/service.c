/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/service.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/message_table.h"
#include "common/messages/fetching.h"
#include "common/names.h"
#include "common/runbook_name.h"
#include "common/tree_layers.h"
#include "fetcher/remote.h"
#include "fetcher/request.h"
#include "fetcher/tree.h"
#include "fetcher/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUESTS_MAX 20000
#define REPOSITORIES_MAX 100000
#define KILLED_MAX 5 /* children of one request */

struct slot {
	struct service *service;
	struct worker worker;
	struct request *request; /* NULL while the slot is free */
	uint64_t started_usec;
	bool fresh; /* the mirror is recent enough for the request */
};

struct repositories {
	struct repository **list;
	size_t n, room;
};

struct service {
	const struct service_setup *setup;
	struct loop *loop;
	struct channel scheduler;
	uint64_t epoch; /* counts channels to the scheduler */
	bool configured;
	struct repositories repositories, pending;
	struct requests requests;
	struct workers workers;
	struct slot slots[FETCH_PARALLEL_MAX];
};

/* ---- configuration ---- */

static void repositories_clear(struct repositories *repositories)
{
	for (size_t i = 0; i < repositories->n; i++)
		(void)repository_free(repositories->list[i]);
	free(repositories->list);
	*repositories = (struct repositories){0};
}

static int repositories_add(struct repositories *repositories, struct repository *repository)
{
	if (repositories->n == REPOSITORIES_MAX)
		return -E2BIG;
	if (repositories->n == repositories->room) {
		size_t room = repositories->room ? repositories->room * 2 : 16;
		void *grown = realloc(repositories->list, room * sizeof(*repositories->list));

		if (!grown)
			return -ENOMEM;
		repositories->list = grown;
		repositories->room = room;
	}
	repositories->list[repositories->n++] = repository;
	return 0;
}

static struct repository *repository_find(const struct service *service, const char *project)
{
	for (size_t i = 0; i < service->repositories.n; i++) {
		if (strcmp(service->repositories.list[i]->project, project) == 0)
			return service->repositories.list[i];
	}
	return NULL;
}

/* ---- answers ---- */

/*
 * Open the topmost layer of the tree, which has the runbook, and files that may be meant as one,
 * in any case (checkout_diff.c). Return: descriptor or -errno.
 */
static int tree_top_open(const struct service *service, const char *project,
			 const struct fetch_result *result)
{
	static const char *const forms[] = {"", TREE_DIFF "/" TREE_DIFF_TOP};
	char path[PROJECT_NAME_MAX + COMMIT_HEX_MAX + 16];
	int fd = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && fd == -ENOENT; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s%s", project, result->commit, forms[i]);
		fd = open_beneath(service->setup->trees_fd, path, O_PATH | O_DIRECTORY, 0);
	}
	return fd;
}

/*
 * Open the runbook of the tree, anew for each answer, since receivers must not share an offset.
 * Return: descriptor, -ENOENT when the tree has no runbook, or -errno with @result changed.
 */
static int runbook_open(const struct service *service, const char *project,
			struct fetch_result *result)
{
	cleanup_close int top_fd = tree_top_open(service, project, result);
	struct stat st;
	int fd;

	if (top_fd < 0)
		return top_fd;
	if (fstatat(top_fd, RUNBOOK_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode))
		return -ENOENT; /* a whiteout */
	fd = open_beneath(top_fd, RUNBOOK_FILE, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd == -ELOOP)
		return fetch_fail(result, FETCH_REFUSED,
				  "runbook.yml is a symlink; make it a regular file");
	if (fd < 0)
		return fetch_fail_errno(result, -fd, "cannot open runbook.yml");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return fetch_fail(result, FETCH_REFUSED, "runbook.yml is not a regular file");
	}
	return fd;
}

/* The name of a file in the tree that was probably meant as the runbook; NULL: there is none. */
static const char *runbook_looked_for(const struct service *service, const char *project,
				      const struct fetch_result *result)
{
	cleanup_close int fd = tree_top_open(service, project, result);

	return fd < 0 ? NULL : runbook_misnamed(fd);
}

static void answer_send(struct service *service, const struct request *request,
			struct message *message)
{
	if (!message) /* without memory: on a new channel the scheduler sends the request again */
		channel_close(&service->scheduler);
	else if (channel_send(&service->scheduler, message) < 0)
		log_warning("an answer about %s could not be sent", request->project);
}

static void answer_removed(struct service *service, const struct request *request,
			   const struct fetch_result *result)
{
	const char *error = result->outcome == FETCH_OK ? "" : result->error.text;

	if (request->type == MESSAGE_TREE_REMOVE)
		answer_send(service, request,
			    MESSAGE_NEW(tree_removed, request->serial, .freed = result->freed,
					.error = error));
	else
		answer_send(
			service, request,
			MESSAGE_NEW(mirror_pruned, request->serial, .freed = result->freed,
				    .error = error,
				    .branches = result->branches_known ? result->branches_fd : -1));
}

/* Reply to a request; after a FETCH or UNPACK with the descriptor of runbook.yml. */
static void answer(struct service *service, const struct request *request,
		   const struct fetch_result *given)
{
	struct fetch_result result = *given;
	struct message_fetched fetched = {.runbook = -1, .paths = -1};
	cleanup_close int fd = -1;

	if (request->epoch != service->epoch)
		return; /* its channel is closed; on the new one the scheduler sends it again */
	if (!request_fetches(request)) {
		answer_removed(service, request, given);
		return;
	}
	if (result.outcome == FETCH_OK)
		fd = runbook_open(service, request->project, &result);
	if (fd == -ENOENT)
		fetched.misnamed = runbook_looked_for(service, request->project, &result);
	fetched.outcome = result.outcome;
	if (result.outcome == FETCH_OK) {
		fetched.commit = result.commit;
		fetched.title = result.title;
		fetched.author = result.author;
		fetched.default_branch = result.default_branch;
		fetched.view = result.view;
		fetched.view_objects = result.view_objects;
		fetched.runbook = fd;
		fetched.paths = result.paths_known ? result.paths_fd : -1;
	} else {
		fetched.error = result.error.text;
	}
	answer_send(service, request,
		    message_build(&message_format_fetched, request->serial, &fetched));
}

static void answer_failure(struct service *service, const struct request *request,
			   enum fetch_outcome outcome, const char *text)
{
	struct fetch_result result = {.outcome = FETCH_OK};

	(void)fetch_fail(&result, outcome, "%s", text);
	answer(service, request, &result);
}

static void outcome_log(const struct request *request, const struct fetch_result *result)
{
	const struct log_field fields[] = {{"RUNBOOK_PROJECT", request->project}};

	if (result->outcome == FETCH_OK && !request_fetches(request))
		log_fields(LOG_LEVEL_INFO, fields, 1, "%s: removed %s, %s", request->project,
			   request->type == MESSAGE_TREE_REMOVE ? "a tree that no run needs"
								: "unreached objects of the mirror",
			   size_text(result->freed));
	else if (result->outcome == FETCH_OK)
		log_fields(LOG_LEVEL_INFO, fields, 1, "%s: %s %s at %s", request->project,
			   request->type == MESSAGE_UNPACK ? "unpacked upload" : "fetched",
			   result->commit, *request->ref ? request->ref : "no reference");
	else
		log_fields(LOG_LEVEL_WARNING, fields, 1, "%s: %s", request->project,
			   result->error.text);
}

/* ---- working the queue off ---- */

static void service_dispatch(struct service *service);

/* The child fetched all branches and tags after started_usec: note that for later requests. */
static void remote_note(const struct slot *slot, const struct request *request)
{
	struct repository *repository = repository_find(slot->service, request->project);

	if (repository && request->type == MESSAGE_FETCH && !slot->fresh &&
	    slot->worker.result.outcome == FETCH_OK)
		repository->asked_usec = slot->started_usec;
}

/* Reply to the worker's request and to all queued ones that its result serves, too. */
static void on_worker_done(struct worker *worker)
{
	struct slot *slot = container_of(worker, struct slot, worker);
	struct service *service = slot->service;
	struct request *request = TAKE_PTR(slot->request);
	struct request *before = NULL;

	outcome_log(request, &worker->result);
	/* killed by an administrator or for want of memory: another attempt may succeed */
	if (worker->killed && ++request->n_killed < KILLED_MAX) {
		requests_push_front(&service->requests, request);
		service_dispatch(service);
		return;
	}
	remote_note(slot, request);
	answer(service, request, &worker->result);
	for (struct request *r = service->requests.first; r;) {
		struct request *next = r->next;

		/* a fetch that was requested later may want references newer than this result */
		if (request_same(request, r) &&
		    (r->type == MESSAGE_UNPACK || r->came_usec <= slot->started_usec)) {
			r = requests_take(&service->requests, before);
			answer(service, r, &worker->result);
			(void)request_free(r);
		} else {
			before = r;
		}
		r = next;
	}
	(void)request_free(request);
	fetch_result_clear(&worker->result);
	service_dispatch(service);
}

/* Answer an UNPACK whose tree exists, without a child. Return: false when a child is needed. */
static bool answer_from_tree(struct service *service, const struct request *request)
{
	struct fetch_result result = {.outcome = FETCH_OK};
	cleanup_close int project_fd = -1;

	/* a fetch needs a child even if the tree exists: its references may have moved */
	if (request->type != MESSAGE_UNPACK)
		return false;
	project_fd =
		open_beneath(service->setup->trees_fd, request->project, O_RDONLY | O_DIRECTORY, 0);
	if (project_fd < 0 || !tree_exists(project_fd, request->commit))
		return false;
	memcpy(result.commit, request->commit, sizeof(request->commit));
	tree_info_read(project_fd, request->commit, &result);
	answer(service, request, &result);
	return true;
}

/* Find the project's repository; a failure is answered. Return: 0 or -errno. */
static int request_check(struct service *service, const struct request *request,
			 struct repository **ret_repository)
{
	struct repository *repository = repository_find(service, request->project);
	struct error error = ERROR_INIT;
	struct remote remote;
	char text[ERROR_TEXT_MAX];

	if (request->type != MESSAGE_FETCH)
		return 0;
	if (!repository || !*repository->url) {
		(void)snprintf(text, sizeof(text),
			       "project %s has no repository to fetch from; set its URL in the "
			       "project's configuration",
			       request->project);
		answer_failure(service, request, FETCH_DENIED, text);
		return -ENOENT;
	}
	if (remote_parse(repository->url, &remote, &error) < 0) {
		answer_failure(service, request, FETCH_REFUSED, error.text);
		return -EINVAL;
	}
	*ret_repository = repository;
	return 0;
}

/* Start a child for @request, or answer it. Return: true when the request occupies @slot. */
static bool request_start(struct service *service, struct slot *slot, struct request *request)
{
	struct repository *repository = NULL;
	struct error error = ERROR_INIT;
	struct message *job;

	if (answer_from_tree(service, request) || request_check(service, request, &repository) < 0)
		return false;
	/* an earlier child, which was killed, may have read a part of it */
	if (request->fd >= 0)
		(void)lseek(request->fd, 0, SEEK_SET);
	slot->fresh = repository && repository->asked_usec > request->came_usec;
	slot->started_usec = now_usec();
	job = request_job(request, slot->fresh);
	if (!job) {
		answer_failure(service, request, FETCH_UNREACHABLE, "out of memory");
		return false;
	}
	if (worker_start(&service->workers, &slot->worker, repository, job, on_worker_done,
			 &error) < 0) {
		log_error("%s: %s", request->project, error.text);
		answer_failure(service, request, fetch_outcome_of(error.number), error.text);
		return false;
	}
	slot->service = service;
	slot->request = request;
	return true;
}

static struct slot *slot_free_find(struct service *service)
{
	for (size_t i = 0; i < ARRAY_SIZE(service->slots); i++) {
		if (!service->slots[i].request)
			return &service->slots[i];
	}
	return NULL;
}

static bool project_busy(const struct service *service, const char *project)
{
	for (size_t i = 0; i < ARRAY_SIZE(service->slots); i++) {
		const struct request *request = service->slots[i].request;

		if (request && strcmp(request->project, project) == 0)
			return true;
	}
	return false;
}

/* Start queued requests in order while slots are free, one at a time for each project. */
static void service_dispatch(struct service *service)
{
	struct request *before = NULL;
	struct slot *slot;

	if (!service->configured)
		return; /* the configuration has not come yet */
	while ((slot = slot_free_find(service))) {
		struct request *request = before ? before->next : service->requests.first;

		if (!request)
			break;
		if (project_busy(service, request->project)) {
			before = request;
			continue;
		}
		request = requests_take(&service->requests, before);
		if (!request_start(service, slot, request))
			(void)request_free(request);
	}
}

/* ---- the scheduler's messages ---- */

/* Is a request queued or running that makes a tree, perhaps the one to be removed? */
static bool project_fetches(const struct service *service, const char *project)
{
	for (const struct request *r = service->requests.first; r; r = r->next) {
		if (request_fetches(r) && strcmp(r->project, project) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(service->slots); i++) {
		const struct request *request = service->slots[i].request;

		if (request && request_fetches(request) && strcmp(request->project, project) == 0)
			return true;
	}
	return false;
}

static int on_request(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct request *request = NULL;
	int r = request_read(message, &request);

	if (r < 0)
		return r;
	request->epoch = service->epoch;
	request->came_usec = now_usec();
	if (answer_from_tree(service, request)) {
		(void)request_free(request);
	} else if (!request_fetches(request) && project_fetches(service, request->project)) {
		answer_failure(
			service, request, FETCH_UNREACHABLE,
			"the project fetches: only afterwards it is known what no run needs");
		(void)request_free(request);
	} else if (service->requests.n >= REQUESTS_MAX) {
		answer_failure(service, request, FETCH_UNREACHABLE,
			       "too many fetches wait already; trigger it again later");
		(void)request_free(request);
	} else {
		requests_push(&service->requests, request);
		service_dispatch(service);
	}
	return 0;
}

static const struct message_handler scheduler_handlers[] = {
	{MESSAGE_FETCH, on_request},
	{MESSAGE_UNPACK, on_request},
	{MESSAGE_TREE_REMOVE, on_request},
	{MESSAGE_MIRROR_PRUNE, on_request},
};

static void scheduler_forget(struct service *service)
{
	service->epoch++;
	requests_drop(&service->requests);
}

static void on_scheduler_closed(struct channel *channel)
{
	scheduler_forget(channel->userdata);
}

/* ---- runbookd's messages ---- */

static int scheduler_attach(void *userdata, int fd)
{
	struct service *service = userdata;

	channel_close(&service->scheduler);
	scheduler_forget(service);
	return channel_open(&service->scheduler, service->loop, fd, ROLE_FETCHER, ROLE_SCHEDULER,
			    scheduler_handlers, ARRAY_SIZE(scheduler_handlers), on_scheduler_closed,
			    service);
}

static const struct program_peer peers[] = {{ROLE_SCHEDULER, scheduler_attach}};

static int on_config_begin(void *userdata)
{
	struct service *service = userdata;

	repositories_clear(&service->pending);
	return 0;
}

static int on_config_repository(struct channel *channel, struct message *message)
{
	struct service *service = channel->userdata;
	struct repository *repository = NULL;
	int r = repository_read(message, &repository);

	if (r < 0)
		return r;
	r = repositories_add(&service->pending, repository);
	if (r < 0)
		(void)repository_free(repository);
	return r;
}

static int on_config_end(void *userdata)
{
	struct service *service = userdata;

	repositories_clear(&service->repositories);
	service->repositories = service->pending;
	service->pending = (struct repositories){0};
	service->configured = true;
	service_dispatch(service);
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CONFIG_REPOSITORY, on_config_repository},
};

/* ---- start and end ---- */

static int service_start(struct process *process, struct error *error)
{
	static struct service service;

	service.setup = process->userdata;
	service.loop = process->loop;
	for (size_t i = 0; i < ARRAY_SIZE(service.slots); i++)
		service.slots[i].worker = WORKER_NULL;
	process->userdata = &service;
	return workers_open(&service.workers, service.loop, service.setup->starter_pid,
			    service.setup->starter_fd, service.setup->limits);
}

static void service_stop(void *userdata)
{
	struct service *service = userdata;

	channel_close(&service->scheduler);
	workers_close(&service->workers);
	requests_drop(&service->requests);
	for (size_t i = 0; i < ARRAY_SIZE(service->slots); i++)
		service->slots[i].request = request_free(service->slots[i].request);
	repositories_clear(&service->repositories);
	repositories_clear(&service->pending);
}

const struct program_service fetcher_service = {
	.start = service_start,
	.config_begin = on_config_begin,
	.config_end = on_config_end,
	.handlers = daemon_handlers,
	.n_handlers = ARRAY_SIZE(daemon_handlers),
	.peers = peers,
	.n_peers = ARRAY_SIZE(peers),
	.stop = service_stop,
};
