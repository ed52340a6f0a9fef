/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/answers.h"

#include "cacher/feed.h"
#include "cacher/file_put.h"
#include "cacher/store_index.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/json_writer.h"
#include "common/log.h"
#include "common/messages/artifacts.h"
#include "common/names.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define STATUS_OK 200
#define STATUS_INVALID 400
#define STATUS_NOT_FOUND 404
#define STATUS_OVER_LIMIT 413
#define STATUS_FAILED 500
#define STATUS_BUSY 503
#define THREAD_STACK_BYTES (256u * 1024u)

enum job_kind { JOB_FEED, JOB_PUT, NUM_JOBS };

struct answers {
	struct loop *loop;
	struct store *store;
	struct channel *channel; /* the api's; NULL while it is closed */
	uint64_t generation;	 /* of the channel: replies for an older one are dropped */
	struct loop_file wake;	 /* an eventfd: a thread has finished its job */
	pthread_mutex_t lock;
	struct job *done;
	unsigned n_jobs[NUM_JOBS]; /* used by the thread of the loop only */
	answers_put_fn on_put;
	void *on_put_userdata;
};

static const char *const kind_names[CACHER_NUM_KINDS] = {"none", "file", "directory"};

static int list_item(void *userdata, const char *key, const struct store_entry *entry)
{
	struct json *json = userdata;
	char digest[DIGEST_HEX_SIZE];

	digest_hex(digest, entry->digest);
	json_open(json, NULL, '{');
	json_text(json, "key", key);
	json_text(json, "kind", kind_names[entry->kind]);
	json_number(json, "size", entry->size);
	json_text(json, "digest", digest);
	json_number(json, "mode", entry->mode);
	json_number(json, "created_usec", entry->created_usec);
	json_close(json, '}');
	return json->failed ? -ENOMEM : 0;
}

/* The keys of a run as JSON in a sealed memfd. Return: fd or -errno. */
static int list_fd(struct store *store, const char *project, uint64_t run)
{
	cleanup_json struct json json = {0};
	struct store_run *opened = NULL;
	int r = store_run_open(store, project, run, &opened);

	json_open(&json, NULL, '{');
	json_open(&json, "artifacts", '[');
	if (r == 0)
		r = store_list(opened, list_item, &json);
	(void)store_run_close(opened);
	json_close(&json, ']');
	json_close(&json, '}');
	if (r == 0)
		r = json.failed ? -ENOMEM : memfd_sealed("artifacts", json.text, json.length);
	return r;
}

int answers_on_list(struct channel *channel, struct message *message)
{
	struct answers *answers = channel->userdata;
	struct message_artifact_list request;
	cleanup_close int fd = -1;
	int r = MESSAGE_GET(message, artifact_list, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project))
		return -EBADMSG;
	fd = list_fd(answers->store, request.project, request.run);
	/* on failure the api sends its request again, on a new channel */
	r = channel_send(channel, MESSAGE_NEW(artifact_listed, message->serial,
					      .status = fd >= 0 ? STATUS_OK : STATUS_FAILED,
					      .list = fd >= 0 ? fd : -1));
	return r == -ENOMEM ? r : 0;
}

/* ---- threads ---- */

struct job {
	struct answers *answers;
	struct job *next;
	enum job_kind kind;
	uint64_t generation, serial;
	struct store_run *run;
	char project[PROJECT_NAME_MAX + 1]; /* puts only: the project, and the run's number */
	uint64_t number;
	int fd, write_fd;
	uint64_t size;
	struct file_meta meta;
	char key[ARTIFACT_KEY_MAX + 1];
	int result;
	struct error error;
};

/* A thread: do the job, append it to the list of finished ones, and wake the loop. */
static void *job_main(void *userdata)
{
	static const atomic_bool cancelled;
	struct job *job = userdata;
	struct answers *answers = job->answers;
	const uint64_t one = 1;

	if (job->kind == JOB_FEED)
		job->result = feed_content(job->fd, job->size, job->write_fd, &cancelled);
	else
		job->result =
			file_put(job->run, job->key, job->fd, &job->meta, &cancelled, &job->error);
	(void)close(job->fd);
	if (job->write_fd >= 0)
		(void)close(job->write_fd);
	(void)pthread_mutex_lock(&answers->lock);
	job->next = answers->done;
	answers->done = job;
	(void)pthread_mutex_unlock(&answers->lock);
	if (write(answers->wake.fd, &one, sizeof(one)) < 0)
		log_warning("cannot wake the loop: %s", strerror(errno));
	return NULL;
}

/* Start a thread for a copy of @model, whose descriptors and run it owns on success. */
static int job_start(struct answers *answers, const struct job *model)
{
	static const unsigned most[NUM_JOBS] = {
		[JOB_FEED] = ANSWERS_FEEDS_MAX, [JOB_PUT] = ANSWERS_PUTS_MAX};
	struct job *job;
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (answers->n_jobs[model->kind] >= most[model->kind])
		return -EAGAIN;
	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = *model;
	job->answers = answers;
	job->generation = answers->generation;
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, job_main, job);
	(void)pthread_attr_destroy(&attributes);
	if (r != 0) {
		free(job);
		return -r;
	}
	answers->n_jobs[model->kind]++;
	return 0;
}

static uint64_t put_status(int result)
{
	switch (result) {
	case 0:
		return STATUS_OK;
	case STORE_E_OVER_LIMIT:
		return STATUS_OVER_LIMIT;
	case -EINVAL:
	case -ESTALE:
		return STATUS_INVALID;
	case -EAGAIN:
		return STATUS_BUSY;
	default:
		return STATUS_FAILED;
	}
}

static void send_kept(struct channel *channel, uint64_t serial, int result, const char *text)
{
	/* on failure the api sends its request again, on a new channel */
	(void)channel_send(channel, MESSAGE_NEW(artifact_kept, serial, .status = put_status(result),
						.error = text));
}

/* In the loop's thread: reply to a put unless its channel is closed, and free the job. */
static void job_done(struct answers *answers, struct job *job)
{
	answers->n_jobs[job->kind]--;
	(void)store_run_close(job->run);
	if (job->kind == JOB_FEED && job->result < 0 && job->result != -EPIPE)
		log_warning("an artifact could not be sent completely: %s", strerror(-job->result));
	if (job->kind == JOB_PUT && job->result == 0 && answers->on_put)
		answers->on_put(answers->on_put_userdata, job->project, job->number);
	if (job->kind == JOB_PUT && answers->channel && job->generation == answers->generation)
		send_kept(answers->channel, job->serial, job->result,
			  job->result == 0 ? "" : job->error.text);
	free(job);
}

static void on_wake(struct loop_file *file, uint32_t events)
{
	struct answers *answers = container_of(file, struct answers, wake);
	struct job *job;
	uint64_t count;

	if (read(file->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_warning("cannot read an eventfd: %s, ignoring", strerror(errno));
	(void)pthread_mutex_lock(&answers->lock);
	job = answers->done;
	answers->done = NULL;
	(void)pthread_mutex_unlock(&answers->lock);
	while (job) {
		struct job *next = job->next;

		job_done(answers, job);
		job = next;
	}
}

int answers_new(struct loop *loop, struct store *store, struct answers **ret_answers)
{
	struct answers *answers = calloc(1, sizeof(*answers));
	int fd, r;

	if (!answers)
		return -ENOMEM;
	answers->loop = loop;
	answers->store = store;
	answers->wake = LOOP_FILE_NULL;
	(void)pthread_mutex_init(&answers->lock, NULL);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = fd < 0 ? -errno : loop_add(loop, &answers->wake, fd, EPOLLIN, on_wake);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		free(answers);
		return r;
	}
	*ret_answers = answers;
	return 0;
}

void answers_notify(struct answers *answers, answers_put_fn on_put, void *userdata)
{
	answers->on_put = on_put;
	answers->on_put_userdata = userdata;
}

void answers_attach(struct answers *answers, struct channel *channel)
{
	answers->channel = channel;
	answers->generation++;
}

/* ---- one artifact ---- */

struct opened {
	struct store_entry entry;
	enum artifact_form form;
	int fd;
};

/* Return: 0, STORE_E_NO_KEY, or -errno; -EAGAIN when all threads are busy. */
static int open_one(struct answers *answers, const char *project, uint64_t run, const char *key,
		    bool frames, struct opened *opened)
{
	struct store_run *of_run = NULL;
	struct job job = {.kind = JOB_FEED, .fd = -1, .write_fd = -1};
	int r;

	if (!artifact_key_valid(key))
		return STORE_E_NO_KEY;
	r = store_run_open(answers->store, project, run, &of_run);
	if (r == 0)
		r = store_get(of_run, key, &opened->fd, &opened->entry, NULL);
	(void)store_run_close(of_run);
	if (r != 0)
		return r;
	opened->form = opened->entry.packed ? ARTIFACT_FORM_ZSTD : ARTIFACT_FORM_FILE;
	if (!opened->entry.packed || frames)
		return 0;
	job.fd = TAKE_FD(opened->fd);
	job.size = opened->entry.size;
	opened->form = ARTIFACT_FORM_PIPE;
	r = feed_pipe(&opened->fd, &job.write_fd);
	if (r == 0)
		r = job_start(answers, &job);
	if (r == 0)
		return 0;
	(void)close(job.fd);
	if (job.write_fd >= 0)
		(void)close(job.write_fd);
	return r;
}

static uint64_t open_status(int result)
{
	switch (result) {
	case 0:
		return STATUS_OK;
	case STORE_E_NO_KEY:
		return STATUS_NOT_FOUND;
	case -EAGAIN:
		return STATUS_BUSY;
	default:
		return STATUS_FAILED;
	}
}

int answers_on_open(struct channel *channel, struct message *message)
{
	struct opened opened = {.form = ARTIFACT_FORM_FILE, .fd = -1};
	struct message_artifact_open request;
	cleanup_close int fd = -1;
	int r = MESSAGE_GET(message, artifact_open, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project))
		return -EBADMSG;
	r = open_one(channel->userdata, request.project, request.run, request.key, request.zstd,
		     &opened);
	fd = opened.fd;
	r = channel_send(channel,
			 MESSAGE_NEW(artifact_opened, message->serial, .status = open_status(r),
				     .kind = kind_names[opened.entry.kind],
				     .size = opened.entry.size, .form = opened.form,
				     .content = r == 0 ? fd : -1));
	return r == -ENOMEM ? r : 0;
}

int answers_on_put(struct channel *channel, struct message *message)
{
	struct answers *answers = channel->userdata;
	struct job job = {.kind = JOB_PUT, .serial = message->serial, .write_fd = -1};
	struct message_artifact_put request;
	int r = MESSAGE_GET(message, artifact_put, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project) || !artifact_key_valid(request.key))
		return -EBADMSG;
	job.meta.mode = (unsigned)request.mode & 0777;
	job.meta.mtime.tv_sec = (time_t)request.modified_sec;
	job.fd = message_take_fd(message, request.content);
	memcpy(job.key, request.key, strlen(request.key) + 1);
	memcpy(job.project, request.project, strlen(request.project) + 1);
	job.number = request.run;
	r = store_run_open(answers->store, request.project, request.run, &job.run);
	if (r == 0)
		r = job_start(answers, &job);
	if (r < 0) {
		send_kept(channel, message->serial, r,
			  r == -EAGAIN ? "too many artifacts are being stored: try again"
				       : strerror(-r));
		(void)store_run_close(job.run);
		(void)close(job.fd);
	}
	return 0;
}
