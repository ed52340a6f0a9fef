/* SPDX-License-Identifier: Apache-2.0 */
#include "images/job.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/layers.h"
#include "common/names.h"
#include "common/phases.h"
#include "common/remove_tree.h"
#include "images/report.h"
#include "images/scope.h"
#include "images/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const state_names[JOB_NUM_STATES] = {
	[JOB_WAITING] = "waiting", [JOB_FETCHING] = "fetching", [JOB_UNPACKING] = "unpacking",
	[JOB_DONE] = "done",	   [JOB_FAILED] = "failed",
};

static void jobs_dispatch(struct jobs *jobs);

static bool job_ended(const struct job *job)
{
	return job->state == JOB_DONE || job->state == JOB_FAILED;
}

static bool job_running(const struct job *job)
{
	return job->state == JOB_FETCHING || job->state == JOB_UNPACKING;
}

/* ---- the end of a job ---- */

static void report_close(struct job *job)
{
	if (job->report_file.loop) {
		int fd = job->report_file.fd;

		loop_remove(&job->report_file);
		(void)close(fd);
	}
	free(job->report);
	job->report = NULL;
	job->report_size = 0;
}

static void job_release(struct job *job)
{
	skopeo_stop(&job->skopeo);
	free(job->waiters);
	job->waiters = NULL;
	job->n_waiters = 0;
	report_close(job);
	oci_clear(&job->image);
	if (job->upload_fd >= 0)
		(void)close(TAKE_FD(job->upload_fd));
	if (job->auth_fd >= 0)
		(void)close(TAKE_FD(job->auth_fd));
	if (job->directory_fd >= 0) {
		(void)close(TAKE_FD(job->directory_fd));
		(void)remove_tree(AT_FDCWD, job->directory);
	}
}

/*
 * Report the failure to the scheduler. The registry's own words go only to the log and to people
 * who may pull: more people can see the run, and its runbook may probe which addresses answer.
 */
static void waiters_tell(const struct job *job)
{
	char reason[REASON_MAX];

	(void)snprintf(reason, sizeof(reason),
		       "image \"%.200s\" could not be pulled: not found, not allowed or out of "
		       "reach; the log of runbookd says which, and so does \"runbookctl image pull "
		       "docker://%.100s\"",
		       job->name, job->source);
	for (size_t i = 0; i < job->n_waiters; i++)
		service_missing(job->jobs->service, job->name, job->waiters[i].project,
				job->waiters[i].fork, reason, job->again);
}

void job_state_set(struct job *job, enum job_state to)
{
	static const unsigned next[JOB_NUM_STATES] = {
		/* unpacking: a root file system is not fetched */
		[JOB_WAITING] = PHASE(JOB_FETCHING) | PHASE(JOB_UNPACKING) | PHASE(JOB_FAILED),
		[JOB_FETCHING] = PHASE(JOB_UNPACKING) | PHASE(JOB_FAILED),
		[JOB_UNPACKING] = PHASE(JOB_DONE) | PHASE(JOB_FAILED),
		[JOB_DONE] = 0,
		[JOB_FAILED] = 0,
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), job->state, to));
	job->state = to;
}

/* Enter a final state: report it, release the job's resources, and start the next job. */
static void job_end(struct job *job, enum job_state state)
{
	struct service *service = job->jobs->service;

	if (state == JOB_FAILED)
		waiters_tell(job);
	job_release(job);
	job_state_set(job, state);
	if (state == JOB_DONE) {
		log_info("image %s is here: %s", job->name, job->text);
		service_publish(service);
	} else {
		log_warning("image %s: %s", job->name, job->text);
	}
	if (!jobs_busy(job->jobs))
		store_unlock(service->store);
	jobs_dispatch(job->jobs);
}

void job_fail(struct job *job, int number, const char *text)
{
	char copy[sizeof(job->text)]; /* @text may be job->text itself */

	(void)snprintf(copy, sizeof(copy), "%s", text);
	memcpy(job->text, copy, sizeof(copy));
	job->again |= number == ENOSPC || number == EDQUOT;
	job_end(job, JOB_FAILED);
}

/* ---- layers ---- */

/* Have runbookd unpack the job's current layer. @digest, @layer: "" if not known. */
static void unpack_ask(struct job *job, int blob_fd, const char *digest, const char *layer)
{
	struct message *message;

	job->number = ++job->jobs->last_number;
	job->report_ended = job->unpacked = false;
	job->unpack_error = ERROR_INIT;
	(void)snprintf(job->text, sizeof(job->text), "layer %zu of %zu", job->layer + 1,
		       job->image.n_layers);
	message = MESSAGE_NEW(layer_unpack, 0, .job = job->number, .digest = digest, .layer = layer,
			      .blob = blob_fd);
	if (channel_send(job->jobs->service->daemon, message) < 0)
		job_fail(job, 0, "a request to runbookd cannot be sent");
}

/* Is the layer unpacked, and are the facts about it stored? */
static bool layer_ready(const struct job *job, const char *layer)
{
	struct store_layer facts;
	bool ready = service_layer_known(job->jobs->service, layer) &&
		     store_layer_get(job->jobs->service->store, layer, &facts) == 0;

	if (ready)
		store_layer_clear(&facts);
	return ready;
}

void job_next_layer(struct job *job)
{
	cleanup_close int fd = -1;
	const struct oci_layer *layer;

	while (job->layer < job->image.n_layers &&
	       layer_ready(job, job->image.layers[job->layer].id))
		job->layer++;
	if (job->layer == job->image.n_layers) {
		if (job_finish(job))
			job_end(job, JOB_DONE);
		return;
	}
	layer = &job->image.layers[job->layer];
	if (job->kind == JOB_ROOTFS) {
		(void)lseek(job->upload_fd, 0, SEEK_SET);
		unpack_ask(job, job->upload_fd, "", "");
		return;
	}
	fd = store_blob_open(job->jobs->service->store, layer->digest);
	if (fd < 0) {
		job->again = true;
		job_fail(job, 0, "a downloaded layer is missing: pull again");
	} else {
		unpack_ask(job, fd, layer->digest, layer->id);
	}
}

static void commit(struct job *job, const char *layer)
{
	struct message *message = MESSAGE_NEW(layer_commit, 0, .job = job->number, .layer = layer);

	if (channel_send(job->jobs->service->daemon, message) < 0 && *layer)
		job_fail(job, 0, "a request to runbookd cannot be sent");
}

static int send_opaque(struct job *job, const struct report *report)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < report->n_opaque; i++) {
		struct message *message =
			MESSAGE_NEW(layer_opaque, 0, .job = job->number, .path = report->opaque[i]);

		r = channel_send(job->jobs->service->daemon, message);
	}
	return r;
}

/* Write the facts about the layer before it is committed, so that no layer is without them. */
static void take_report(struct job *job, const struct report *report)
{
	struct oci_layer *layer = &job->image.layers[job->layer];
	const struct store_layer facts = {
		.bytes = report->bytes,
		.entries = report->entries,
		.cut = report->cut,
		.passwd = (char *)report->passwd,
		.group = (char *)report->group,
	};
	int r = send_opaque(job, report);

	if (r == 0 && layer->id[0] && strcmp(layer->id, report->layer) != 0)
		r = -EBADMSG;
	memcpy(layer->id, report->layer, IMAGE_ID_SIZE);
	if (r == 0)
		r = store_layer_put(job->jobs->service->store, layer->id, &facts);
	if (r == 0) {
		commit(job, layer->id);
		return;
	}
	commit(job, "");
	(void)snprintf(job->text, sizeof(job->text), "the facts about a layer cannot be stored: %s",
		       strerror(-r));
	job_fail(job, -r, job->text);
}

/* Use the report, once the sandbox has ended and the report is complete. */
static void unpack_end(struct job *job)
{
	struct report report;
	int r;

	if (!job->report_ended || !job->unpacked)
		return;
	r = job->report ? report_parse(job->report, job->report_size, &report) : -EBADMSG;
	if (job->unpack_error.number || r < 0 || report.refusal) {
		bool refused = r == 0 && report.refusal;
		int number = refused ? report.number : job->unpack_error.number;
		char text[1024];

		(void)snprintf(text, sizeof(text), "%s",
			       refused			  ? report.refusal
			       : job->unpack_error.number ? job->unpack_error.text
							  : "the unpacker's report is cut off");
		/* a damaged blob is removed, and the next attempt downloads it again */
		job->again = job->kind != JOB_ROOTFS && r == 0 && report.damaged;
		if (job->again)
			store_blob_remove(job->jobs->service->store,
					  job->image.layers[job->layer].digest);
		if (!job->unpack_error.number)
			commit(job, "");
		job->number = 0;
		if (r == 0)
			report_clear(&report);
		job_fail(job, number, text);
		return;
	}
	take_report(job, &report);
	report_clear(&report);
	report_close(job);
}

/* Read the unpacker's report; it ends at end of file, over its limit, or without memory. */
static void on_report(struct loop_file *file, uint32_t events)
{
	struct job *job = container_of(file, struct job, report_file);
	ssize_t n;
	char *grown;

	/* room for another block, and a NUL at the end */
	grown = realloc(job->report, job->report_size + 64 * KIB + 1);
	if (grown) {
		job->report = grown;
		n = read(file->fd, grown + job->report_size, 64 * KIB);
	} else {
		n = 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		job->report_size += (size_t)n;
	if (job->report)
		job->report[job->report_size] = '\0';
	if (n > 0 && job->report_size <= IMAGE_REPORT_MAX)
		return;
	if (n > 0)
		(void)error_set(&job->unpack_error, EMSGSIZE,
				"the unpacker's report is larger than %llu MiB",
				(unsigned long long)(IMAGE_REPORT_MAX / MIB));
	(void)close(file->fd);
	loop_remove(file);
	job->report_ended = true;
	unpack_end(job);
}

static struct job *job_of_number(struct jobs *jobs, uint64_t number)
{
	for (struct job *job = jobs->first; job; job = job->next) {
		if (job->state == JOB_UNPACKING && job->number == number)
			return job;
	}
	return NULL;
}

void jobs_unpacking(struct jobs *jobs, uint64_t number, int report_fd)
{
	struct job *job = job_of_number(jobs, number);

	if (!job || job->report_file.loop || fd_set_nonblock(report_fd, 1) < 0 ||
	    loop_add(jobs->service->loop, &job->report_file, report_fd, EPOLLIN, on_report) < 0)
		(void)close(report_fd);
}

void jobs_unpacked(struct jobs *jobs, uint64_t number, const struct error *error)
{
	struct job *job = job_of_number(jobs, number);

	if (!job)
		return;
	job->unpacked = true;
	if (error->number && !job->unpack_error.number) {
		job->unpack_error.number = error->number;
		text_escape(job->unpack_error.text, sizeof(job->unpack_error.text), error->text);
	}
	if (!job->report_file.loop)
		job->report_ended = true; /* the sandbox did not start */
	unpack_end(job);
}

void jobs_committed(struct jobs *jobs, uint64_t number, const struct error *error)
{
	struct job *job = job_of_number(jobs, number);

	if (!job)
		return;
	job->number = 0;
	if (error->number) {
		job_fail(job, error->number, error->text);
		return;
	}
	if (service_layer_add(jobs->service, job->image.layers[job->layer].id) < 0) {
		job_fail(job, ENOMEM, "out of memory");
		return;
	}
	job->layer++;
	job_next_layer(job);
}

/* ---- the start of a job ---- */

static void job_start(struct job *job)
{
	struct error error = ERROR_INIT;

	/* another instance is pruning the same store; that is short, so the job may be repeated */
	if (store_lock(job->jobs->service->store, false) < 0) {
		job->again = true;
		job_fail(job, 0, "images are being pruned: try again");
		return;
	}
	if (job->kind != JOB_ROOTFS) {
		job_state_set(job, JOB_FETCHING);
		if (job_fetch(job, &error) < 0) {
			job->again = error.number != ENOENT; /* skopeo is not installed */
			job_fail(job, error.number, error.text);
		}
		return;
	}
	job_state_set(job, JOB_UNPACKING);
	job->image.layers = calloc(1, sizeof(*job->image.layers));
	if (!job->image.layers) {
		job_fail(job, ENOMEM, "out of memory");
		return;
	}
	job->image.n_layers = 1;
	job_next_layer(job);
}

static void jobs_dispatch(struct jobs *jobs)
{
	for (;;) {
		struct job *oldest = NULL;
		size_t n_running = 0;

		for (struct job *job = jobs->first; job; job = job->next) {
			n_running += job_running(job);
			if (job->state == JOB_WAITING)
				oldest = job;
		}
		if (!oldest || n_running >= IMAGE_PULLS_AT_ONCE)
			return;
		job_start(oldest);
	}
}

/* ---- requests ---- */

static struct job *job_same(struct jobs *jobs, const struct job_request *request, const char *auth)
{
	for (struct job *job = jobs->first; job; job = job->next) {
		if (request->kind == JOB_PULL && job->kind == JOB_PULL && !job_ended(job) &&
		    strcmp(job->name, request->name) == 0 &&
		    strcmp(job->source, request->source) == 0 && strcmp(job->auth, auth) == 0)
			return job;
	}
	return NULL;
}

/* Note that steps of the request's project wait for this job's image. */
static int waiter_add(struct job *job, const struct job_request *request)
{
	struct waiter *grown;

	if (!request->project)
		return 0;
	for (size_t i = 0; i < job->n_waiters; i++) {
		if (strcmp(job->waiters[i].project, request->project) == 0 &&
		    job->waiters[i].fork == request->fork)
			return 0;
	}
	if (job->n_waiters == IMAGE_WAITERS_MAX)
		return -E2BIG;
	grown = reallocarray(job->waiters, job->n_waiters + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	job->waiters = grown;
	grown += job->n_waiters++;
	(void)snprintf(grown->project, sizeof(grown->project), "%s", request->project);
	grown->fork = request->fork;
	return 0;
}

/* Make room for a job by removing the oldest that has ended. */
static void make_room(struct jobs *jobs)
{
	struct job **oldest = NULL;
	struct job *gone;

	if (jobs->n < IMAGE_JOBS_MAX)
		return;
	for (struct job **link = &jobs->first; *link; link = &(*link)->next) {
		if (job_ended(*link))
			oldest = link;
	}
	if (!oldest)
		return;
	gone = *oldest;
	*oldest = gone->next;
	free(gone);
	jobs->n--;
}

static struct job *job_new(struct jobs *jobs, const struct job_request *request, const char *auth)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->jobs = jobs;
	job->kind = request->kind;
	job->skopeo = SKOPEO_NULL;
	job->upload_fd = job->directory_fd = job->auth_fd = -1;
	job->report_file = LOOP_FILE_NULL;
	(void)snprintf(job->name, sizeof(job->name), "%s", request->name);
	(void)snprintf(job->source, sizeof(job->source), "%s", request->source);
	(void)snprintf(job->auth, sizeof(job->auth), "%s", auth);
	if (waiter_add(job, request) < 0) {
		free(job);
		return NULL;
	}
	return job;
}

int jobs_add(struct jobs *jobs, const struct job_request *request, uint64_t *ret_id,
	     struct error *error)
{
	cleanup_close int fd = request->upload_fd;
	const char *auth = SCOPE_ANYONE, *data;
	struct job *job;
	size_t size;

	if (request->kind == JOB_PULL)
		auth = policy_auth(&jobs->service->config.policy, request->project, request->fork,
				   request->source, &data, &size);
	job = job_same(jobs, request, auth);
	if (job) {
		*ret_id = job->id;
		return waiter_add(job, request) < 0
			       ? error_set(error, EBUSY, "too many projects wait for this image")
			       : 0;
	}
	make_room(jobs);
	if (jobs->n >= IMAGE_JOBS_MAX)
		return error_set(error, EBUSY, "%d pulls and imports wait already: try again later",
				 IMAGE_JOBS_MAX);
	job = job_new(jobs, request, auth);
	if (!job)
		return error_set(error, ENOMEM, "out of memory");
	job->id = ++jobs->last_id;
	job->upload_fd = TAKE_FD(fd);
	job->next = jobs->first;
	jobs->first = job;
	jobs->n++;
	*ret_id = job->id;
	jobs_dispatch(jobs);
	return 0;
}

json_t *jobs_describe(struct jobs *jobs, uint64_t id)
{
	for (const struct job *job = jobs->first; job; job = job->next) {
		const char *text = job->state == JOB_FETCHING ? job->skopeo.line : job->text;

		if (job->id != id)
			continue;
		return json_pack("{s:I, s:s, s:s, s:s}", "job", (json_int_t)id, "state",
				 state_names[job->state], "text", text, "name", job->name);
	}
	return NULL;
}

bool jobs_busy(const struct jobs *jobs)
{
	for (const struct job *job = jobs->first; job; job = job->next) {
		if (!job_ended(job))
			return true;
	}
	return false;
}

int jobs_new(struct service *service, struct jobs **ret_jobs)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->service = service;
	*ret_jobs = jobs;
	return 0;
}

struct jobs *jobs_free(struct jobs *jobs)
{
	while (jobs && jobs->first) {
		struct job *job = jobs->first;

		jobs->first = job->next;
		job_release(job);
		free(job);
	}
	free(jobs);
	return NULL;
}
