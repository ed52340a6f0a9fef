/* SPDX-License-Identifier: Apache-2.0 */
#include "images/jobs.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/names.h"
#include "common/step_user.h"
#include "images/oci.h"
#include "images/report.h"
#include "images/service.h"
#include "images/skopeo.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum job_state { JOB_WAITING, JOB_FETCHING, JOB_UNPACKING, JOB_DONE, JOB_FAILED, JOB_NUM_STATES };

static const char *const state_names[JOB_NUM_STATES] = {
	[JOB_WAITING] = "waiting", [JOB_FETCHING] = "fetching", [JOB_UNPACKING] = "unpacking",
	[JOB_DONE] = "done",	   [JOB_FAILED] = "failed",
};

static const char *const kind_names[JOB_NUM_KINDS] = {
	[JOB_PULL] = "docker",
	[JOB_ROOTFS] = "rootfs",
	[JOB_DOCKER_ARCHIVE] = "docker-archive",
	[JOB_OCI_ARCHIVE] = "oci-archive",
};

struct job {
	struct jobs *jobs;
	struct job *next;
	uint64_t id;
	enum job_kind kind;
	enum job_state state;
	bool wanted;
	bool again; /* it failed, and might do well in a while */
	char name[IMAGE_NAME_MAX + 1];
	char source[IMAGE_NAME_MAX + 1];
	char text[1024];
	int upload_fd;
	/* fetching */
	struct skopeo skopeo;
	char directory[PATH_MAX];
	int directory_fd;
	int auth_fd;
	/* unpacking */
	struct oci_image image;
	size_t layer;	 /* index of the one at hand */
	uint64_t number; /* of the daemon's job, 0: none */
	struct loop_file report_file;
	char *report;
	size_t report_size;
	bool report_ended, unpacked;
	char unpack_error[512];
};

struct jobs {
	struct service *service;
	struct job *first; /* the newest first */
	size_t n;
	uint64_t last_id, last_number;
};

static void jobs_dispatch(struct jobs *jobs);
static void next_layer(struct job *job);

enum job_kind job_kind_parse(const char *name)
{
	int i = JOB_ROOTFS;

	size_t length = strcspn(name, ":");

	while (i < JOB_NUM_KINDS &&
	       (strlen(kind_names[i]) != length || memcmp(kind_names[i], name, length) != 0))
		i++;
	return (enum job_kind)i;
}

static bool job_ended(const struct job *job)
{
	return job->state == JOB_DONE || job->state == JOB_FAILED;
}

static bool job_running(const struct job *job)
{
	return job->state == JOB_FETCHING || job->state == JOB_UNPACKING;
}

/* ---- ending ---- */

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

static void job_end(struct job *job, enum job_state state)
{
	struct service *service = job->jobs->service;

	job_release(job);
	job->state = state;
	if (state == JOB_DONE) {
		log_info("image %s is here: %s", job->name, job->text);
		service_publish(service);
	} else {
		log_warning("image %s: %s", job->name, job->text);
		if (job->wanted)
			service_missing(service, job->name, job->text, job->again);
	}
	if (!jobs_busy(job->jobs))
		store_unlock(service->store);
	jobs_dispatch(job->jobs);
}

/* A full disk may have room again; the daemon and skopeo report it in their own words. */
static bool says_full(const char *text)
{
	return strstr(text, strerror(ENOSPC)) || strstr(text, strerror(EDQUOT));
}

static void job_fail(struct job *job, const char *text)
{
	char copy[sizeof(job->text)]; /* may be job->text itself */

	(void)snprintf(copy, sizeof(copy), "%s", text);
	memcpy(job->text, copy, sizeof(copy));
	job->again |= says_full(copy);
	job_end(job, JOB_FAILED);
}

/* ---- the record ---- */

/*
 * What the layers say about users: the topmost file counts. @ret_accounts keeps
 * what the record points to.
 */
static int resolve_user(struct job *job, struct image_record *record,
			struct store_layer *ret_accounts, struct error *error)
{
	const char *user = job->image.user ? job->image.user : "";
	struct store_layer accounts = {0};
	int r;

	record->bytes = 0;
	for (size_t i = 0; i < job->image.n_layers; i++) {
		struct store_layer facts;

		if (store_layer_get(job->jobs->service->store, job->image.layers[i].id, &facts) < 0)
			return error_set(error, ENOENT, "what is known of a layer is lost");
		record->bytes += facts.bytes;
		if (facts.passwd) {
			free(accounts.passwd);
			accounts.passwd = TAKE_PTR(facts.passwd);
		}
		if (facts.group) {
			free(accounts.group);
			accounts.group = TAKE_PTR(facts.group);
		}
		/* everything below is hidden */
		if (facts.cut)
			record->n_layers = 0;
		record->layers[record->n_layers++] = job->image.layers[i].id;
		store_layer_clear(&facts);
	}
	r = step_user_resolve(user, accounts.passwd, accounts.group, &record->uid, &record->gid,
			      error);
	if (r < 0)
		(void)error_wrap(error, "the image's own user");
	record->passwd = ret_accounts->passwd =
		step_user_compact(accounts.passwd, 2, IMAGE_ACCOUNTS_MAX);
	record->group = ret_accounts->group =
		step_user_compact(accounts.group, 1, IMAGE_ACCOUNTS_MAX);
	store_layer_clear(&accounts);
	return r;
}

/* Users are told as far as there is room; without them `user:` takes numbers only. */
static int put_image(struct store *store, struct image_record *record)
{
	int r = store_image_put(store, record);

	if (r != -E2BIG)
		return r;
	record->passwd = record->group = NULL;
	return store_image_put(store, record);
}

/* A root file system has no configuration: its id is the digest of what it is made of. */
static void identify(struct job *job)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char text[IMAGE_ID_SIZE + 32];
	int length;

	if (job->kind != JOB_ROOTFS)
		return;
	length = snprintf(text, sizeof(text), "runbook rootfs %s", job->image.layers[0].id);
	(void)crypto_hash_sha256(hash, (unsigned char *)text, (unsigned long long)length);
	(void)sodium_bin2hex(job->image.id, sizeof(job->image.id), hash, sizeof(hash));
}

static void job_finish(struct job *job)
{
	struct store *store = job->jobs->service->store;
	struct store_layer accounts = {0};
	struct error error = ERROR_INIT;
	cleanup_free struct image_record *record = calloc(1, sizeof(*record));
	int r;

	if (!record) {
		job_fail(job, "out of memory");
		return;
	}
	identify(job);
	record->id = job->image.id;
	record->source = job->source;
	record->workdir = job->image.workdir ? job->image.workdir : "";
	record->created_usec = wall_usec();
	for (size_t i = 0; i < job->image.n_env; i++)
		record->env[record->n_env++] = job->image.env[i];
	if (job->kind != JOB_ROOTFS) {
		record->blobs[record->n_blobs++] = job->image.manifest;
		record->blobs[record->n_blobs++] = job->image.id;
		for (size_t i = 0; i < job->image.n_layers; i++)
			record->blobs[record->n_blobs++] = job->image.layers[i].digest;
	}
	r = resolve_user(job, record, &accounts, &error);
	if (r == 0)
		r = put_image(store, record);
	store_layer_clear(&accounts);
	if (error.number) {
		job_fail(job, error.text);
		return;
	}
	if (r == 0)
		r = store_name_put(store, job->name, job->image.id);
	if (r == -E2BIG) {
		job_fail(job, "the image's environment is larger than 48 KiB");
		return;
	}
	if (r < 0) {
		(void)snprintf(job->text, sizeof(job->text), "the record cannot be written: %s",
			       strerror(-r));
		job_fail(job, job->text);
		return;
	}
	(void)snprintf(job->text, sizeof(job->text), "%s", job->image.id);
	job_end(job, JOB_DONE);
}

/* ---- layers ---- */

static void unpack_ask(struct job *job, int blob_fd, const char *digest, const char *layer)
{
	struct message *message = message_new(MESSAGE_LAYER_UNPACK, 0);

	job->number = ++job->jobs->last_number;
	job->report_ended = job->unpacked = false;
	job->unpack_error[0] = '\0';
	(void)snprintf(job->text, sizeof(job->text), "layer %zu of %zu", job->layer + 1,
		       job->image.n_layers);
	if (message) {
		message_put_u64(message, job->number);
		message_put_string(message, digest);
		message_put_string(message, layer);
		message_put_fd(message, blob_fd);
	}
	if (channel_send(&job->jobs->service->daemon, message) < 0)
		job_fail(job, "the daemon cannot be asked");
}

static bool layer_ready(const struct job *job, const char *layer)
{
	struct store_layer facts;
	bool ready = service_layer_known(job->jobs->service, layer) &&
		     store_layer_get(job->jobs->service->store, layer, &facts) == 0;

	if (ready)
		store_layer_clear(&facts);
	return ready;
}

static void next_layer(struct job *job)
{
	cleanup_close int fd = -1;
	const struct oci_layer *layer;

	while (job->layer < job->image.n_layers &&
	       layer_ready(job, job->image.layers[job->layer].id))
		job->layer++;
	if (job->layer == job->image.n_layers) {
		job_finish(job);
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
		job_fail(job, "a layer is missing among what was downloaded: pull again");
	} else {
		unpack_ask(job, fd, layer->digest, layer->id);
	}
}

static void commit(struct job *job, const char *layer)
{
	struct message *message = message_new(MESSAGE_LAYER_COMMIT, 0);

	if (message) {
		message_put_u64(message, job->number);
		message_put_string(message, layer);
	}
	if (channel_send(&job->jobs->service->daemon, message) < 0 && *layer)
		job_fail(job, "the daemon cannot be asked");
}

static int send_opaque(struct job *job, const struct report *report)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < report->n_opaque; i++) {
		struct message *message = message_new(MESSAGE_LAYER_OPAQUE, 0);

		if (message) {
			message_put_u64(message, job->number);
			message_put_string(message, report->opaque[i]);
		}
		r = channel_send(&job->jobs->service->daemon, message);
	}
	return r;
}

/* What the sandbox found out is written before the layer is there: never one without the other. */
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
	(void)snprintf(job->text, sizeof(job->text), "what is known of a layer cannot be kept: %s",
		       strerror(-r));
	job_fail(job, job->text);
}

/* The sandbox has ended and all of its report is here. */
static void unpack_end(struct job *job)
{
	struct report report;
	int r;

	if (!job->report_ended || !job->unpacked)
		return;
	r = job->report ? report_parse(job->report, job->report_size, &report) : -EBADMSG;
	if (job->unpack_error[0] || r < 0 || report.refusal) {
		const char *damaged = "is damaged";
		char text[1024];

		(void)snprintf(text, sizeof(text), "%s",
			       r == 0 && report.refusal ? report.refusal
			       : job->unpack_error[0]	? job->unpack_error
							: "the unpacker's report is cut off");
		/* what is wrong on disk is not used again */
		job->again = job->kind != JOB_ROOTFS && strstr(text, damaged);
		if (job->again)
			store_blob_remove(job->jobs->service->store,
					  job->image.layers[job->layer].digest);
		if (!job->unpack_error[0])
			commit(job, "");
		job->number = 0;
		if (r == 0)
			report_clear(&report);
		job_fail(job, text);
		return;
	}
	take_report(job, &report);
	report_clear(&report);
	report_close(job);
}

static void on_report(struct loop_file *file, uint32_t events)
{
	struct job *job = container_of(file, struct job, report_file);
	ssize_t n;
	char *grown;

	/* room for one block more, and a NUL behind all of it */
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
		(void)snprintf(job->unpack_error, sizeof(job->unpack_error),
			       "the unpacker said more than %llu MiB",
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

void jobs_unpacked(struct jobs *jobs, uint64_t number, const char *error)
{
	struct job *job = job_of_number(jobs, number);

	if (!job)
		return;
	job->unpacked = true;
	if (*error && !job->unpack_error[0])
		text_escape(job->unpack_error, sizeof(job->unpack_error), error);
	if (!job->report_file.loop)
		job->report_ended = true; /* it never began */
	unpack_end(job);
}

void jobs_committed(struct jobs *jobs, uint64_t number, const char *error)
{
	struct job *job = job_of_number(jobs, number);

	if (!job)
		return;
	job->number = 0;
	if (*error) {
		job_fail(job, error);
		return;
	}
	if (service_layer_add(jobs->service, job->image.layers[job->layer].id) < 0) {
		job_fail(job, "out of memory");
		return;
	}
	job->layer++;
	next_layer(job);
}

/* ---- fetching ---- */

static void fetched(struct skopeo *skopeo)
{
	struct job *job = container_of(skopeo, struct job, skopeo);
	cleanup_close int layout_fd = -1;
	struct error error = ERROR_INIT;
	char text[1024];

	if (skopeo->late || skopeo->status != 0) {
		job->again = skopeo_describe(skopeo, text, sizeof(text));
		job_fail(job, text);
		return;
	}
	layout_fd = openat(job->directory_fd, "layout", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout_fd < 0)
		(void)error_errno(&error, errno, "skopeo left nothing");
	else
		(void)oci_read(job->jobs->service->store, layout_fd, &job->image, &error);
	if (error.number != 0) {
		job_fail(job, error.text);
		return;
	}
	job->state = JOB_UNPACKING;
	next_layer(job);
}

/* "registry.local:5000/a/b:tag" is at "registry.local:5000". */
static bool is_insecure(const struct service *service, const char *reference)
{
	const char *name = image_name_strip(reference);
	size_t length = strcspn(name, "/");
	const char *at = service->config.insecure;

	while (*at) {
		size_t n = strcspn(at, " ");

		if (n == length && memcmp(at, name, n) == 0)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

static int make_directory(struct job *job, struct error *error)
{
	if (snprintf(job->directory, sizeof(job->directory), "%s/tmp/pull-XXXXXX",
		     job->jobs->service->oci_path) >= (int)sizeof(job->directory))
		return error_set(error, ENAMETOOLONG, "the path of the store is too long");
	if (!mkdtemp(job->directory))
		return error_errno(error, errno, "cannot make a directory in the store");
	job->directory_fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return job->directory_fd < 0
		       ? error_errno(error, errno, "cannot open a directory in the store")
		       : 0;
}

static int fetch(struct job *job, struct error *error)
{
	const struct service *service = job->jobs->service;
	char source[IMAGE_NAME_MAX + 16], blobs[PATH_MAX + 16];
	struct skopeo_job what = {.source = source, .directory = job->directory, .blobs = blobs};

	if (make_directory(job, error) < 0)
		return -error->number;
	if (job->kind == JOB_PULL)
		(void)snprintf(source, sizeof(source), "docker://%s", job->source);
	else
		(void)snprintf(source, sizeof(source), "%s", job->source);
	(void)snprintf(blobs, sizeof(blobs), "%s/blobs", service->oci_path);
	if (service->config.auth_size > 0 && job->kind == JOB_PULL) {
		job->auth_fd =
			memfd_sealed("auth", service->config.auth, service->config.auth_size);
		if (job->auth_fd < 0)
			return error_errno(error, -job->auth_fd, "cannot hand credentials over");
	}
	what.directory_fd = job->directory_fd;
	what.upload_fd = job->upload_fd;
	what.auth_fd = job->auth_fd;
	what.insecure = job->kind == JOB_PULL && is_insecure(service, job->source);
	return skopeo_start(&job->skopeo, service->loop, &what, fetched, error);
}

static void job_start(struct job *job)
{
	struct error error = ERROR_INIT;

	/* who prunes elsewhere is done in a moment, or this fails with a reason */
	if (store_lock(job->jobs->service->store, false) < 0) {
		job->again = true;
		job_fail(job, "images are being pruned: try again");
		return;
	}
	if (job->kind != JOB_ROOTFS) {
		job->state = JOB_FETCHING;
		if (fetch(job, &error) < 0) {
			job->again = error.number != ENOENT; /* skopeo is not installed */
			job_fail(job, error.text);
		}
		return;
	}
	job->state = JOB_UNPACKING;
	job->image.layers = calloc(1, sizeof(*job->image.layers));
	if (!job->image.layers) {
		job_fail(job, "out of memory");
		return;
	}
	job->image.n_layers = 1;
	next_layer(job);
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

/* ---- asking ---- */

static struct job *job_same(struct jobs *jobs, enum job_kind kind, const char *name,
			    const char *source)
{
	for (struct job *job = jobs->first; job; job = job->next) {
		if (kind == JOB_PULL && job->kind == JOB_PULL && !job_ended(job) &&
		    strcmp(job->name, name) == 0 && strcmp(job->source, source) == 0)
			return job;
	}
	return NULL;
}

/* The oldest that has ended makes room. */
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

int jobs_add(struct jobs *jobs, enum job_kind kind, const char *name, const char *source,
	     int upload_fd, bool wanted, uint64_t *ret_id, struct error *error)
{
	cleanup_close int fd = upload_fd;
	struct job *job = job_same(jobs, kind, name, source);

	if (job) {
		job->wanted |= wanted;
		*ret_id = job->id;
		return 0;
	}
	make_room(jobs);
	if (jobs->n >= IMAGE_JOBS_MAX)
		return error_set(error, EBUSY, "%d pulls and imports wait already: try again later",
				 IMAGE_JOBS_MAX);
	job = calloc(1, sizeof(*job));
	if (!job)
		return error_set(error, ENOMEM, "out of memory");
	job->jobs = jobs;
	job->kind = kind;
	job->id = ++jobs->last_id;
	job->wanted = wanted;
	job->skopeo = SKOPEO_NULL;
	job->directory_fd = job->auth_fd = -1;
	job->report_file = LOOP_FILE_NULL;
	job->upload_fd = TAKE_FD(fd);
	(void)snprintf(job->name, sizeof(job->name), "%s", name);
	(void)snprintf(job->source, sizeof(job->source), "%s", source);
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
