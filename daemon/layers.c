/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/layers.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/image.h"
#include "common/log.h"
#include "common/step_payload.h"
#include "daemon/daemon.h"
#include "daemon/dir_store.h"
#include "daemon/program_path.h"
#include "daemon/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define JOBS_RUNNING_MAX 4
#define JOBS_REMOVING_MAX 1
#define UNPACK_MEMORY (512 * MIB)
#define UNPACK_PIDS 16
#define UNPACK_DISK (16 * MIB) /* of the sandbox's own scratch, which it does not need */
#define REMOVAL_TRIES 6
#define REMOVAL_PAUSE_USEC (1 * USEC_PER_SEC) /* doubled with each try */
#define PROGRAM_INSIDE "/run/runbookd/bin/runbook-unpack"
#define LAYER_INSIDE "/layer"

enum job_phase { JOB_WAITING, JOB_RUNNING, JOB_UNPACKED, JOB_PAUSED };

/** struct job - one directory on its way in or out */
struct job {
	struct layers *layers;
	struct job *next;
	uint64_t number; /* runbook-image's; 0: it is being removed */
	bool removing;
	bool abandoned;	  /* runbook-image does not want it any more */
	unsigned n_tries; /* to remove it */
	enum job_phase phase;
	struct dir_claim dir;
	struct supervised supervised;
	struct loop_timer pause_timer;
};

struct layers {
	struct daemon *daemon;
	struct supervisor supervisor;
	struct dir_store *store;
	char program[PATH_MAX];
	uint64_t n_started; /* names of sandboxes */
	struct job *jobs;
	size_t n_running;
	bool stopping;
};

static void removals_start(struct layers *layers);
static void sandbox_done(struct supervised *supervised, const struct supervised_end *end);

/* ---- answers ---- */

static void answer(struct layers *layers, enum message_type type, uint64_t number, const char *text,
		   int fd)
{
	struct message *message;

	if (!link_ready(layers->daemon, CHILD_IMAGE))
		return; /* a new one begins anew */
	message = message_new(type, 0);
	if (message) {
		message_put_u64(message, number);
		if (text)
			message_put_string(message, text);
		if (fd >= 0)
			message_put_fd(message, fd);
	}
	(void)link_send(layers->daemon, CHILD_IMAGE, message);
}

/* ---- jobs ---- */

static void job_unlink(struct job *job)
{
	struct job **link = &job->layers->jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
}

static struct job *job_free(struct job *job)
{
	dir_claim_drop(&job->dir);
	free(job);
	return NULL;
}

static struct job *job_find(struct layers *layers, uint64_t number)
{
	for (struct job *job = layers->jobs; job; job = job->next) {
		if (number != 0 && job->number == number && !job->removing && !job->abandoned)
			return job;
	}
	return NULL;
}

static struct job *job_new(struct layers *layers, uint64_t number)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->layers = layers;
	job->number = number;
	job->dir = DIR_CLAIM_NULL;
	job->pause_timer = LOOP_TIMER_NULL;
	job->supervised = SUPERVISED_NULL;
	job->supervised.supervisor = &layers->supervisor;
	job->supervised.name = "the unpacker";
	job->supervised.grace_usec = SUPERVISE_NO_GRACE;
	job->supervised.done = sandbox_done;
	job->next = layers->jobs;
	layers->jobs = job;
	return job;
}

/* From here on it is only to be removed. */
static void job_discard(struct job *job)
{
	job->removing = true;
	job->phase = JOB_WAITING;
	removals_start(job->layers);
}

/* ---- sandboxes ---- */

static void removal_again(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, pause_timer);

	job->phase = JOB_WAITING;
	removals_start(job->layers);
}

/* The remover may have been killed or failed to start; both are transient, so retry. */
static void removal_done(struct job *job, const char *failure)
{
	struct layers *layers = job->layers;
	const char *path = dir_store_path(layers->store);
	int r = dir_store_remove(layers->store, &job->dir);

	if (r < 0) {
		const char *why = failure[0] ? failure : strerror(-r);
		uint64_t at = now_usec() + (REMOVAL_PAUSE_USEC << job->n_tries);

		job->phase = JOB_PAUSED;
		if (++job->n_tries < REMOVAL_TRIES &&
		    loop_timer_set(layers->daemon->loop, &job->pause_timer, at, removal_again) ==
			    0) {
			log_info("%s/%s is not removed yet, trying again: %s", path, job->dir.name,
				 why);
			return;
		}
		log_warning("%s/%s stays until the next start: %s", path, job->dir.name, why);
	}
	job_unlink(job);
	(void)job_free(job);
}

static void unpack_done(struct job *job, const char *failure)
{
	if (!job->abandoned)
		answer(job->layers, MESSAGE_LAYER_UNPACKED, job->number, failure, -1);
	if (job->abandoned || failure[0])
		job_discard(job);
	else
		job->phase = JOB_UNPACKED;
}

static void outcome_describe(const struct job *job, const struct sandbox_outcome *outcome,
			     char *out, size_t size)
{
	out[0] = '\0';
	if (job->supervised.terminated)
		(void)snprintf(out, size, "unpacking took longer than %d s",
			       IMAGE_UNPACK_TIMEOUT_SEC);
	else if (outcome->memory_limit)
		(void)snprintf(out, size, "unpacking took more than %llu MiB of memory",
			       (unsigned long long)(UNPACK_MEMORY / MIB));
	else if (outcome->how == SANDBOX_SIGNALED || outcome->how == SANDBOX_LOST)
		(void)snprintf(out, size, "the unpacker was killed (signal %d)",
			       outcome->how == SANDBOX_LOST ? SIGKILL : outcome->code);
	else if (outcome->how != SANDBOX_EXITED || outcome->code != 0)
		(void)snprintf(out, size, "the unpacker ended with %d", outcome->code);
}

static void sandbox_done(struct supervised *supervised, const struct supervised_end *end)
{
	struct job *job = container_of(supervised, struct job, supervised);
	struct layers *layers = job->layers;
	char failure[512];

	layers->n_running--;
	if (end->result < 0 || end->error.number != 0)
		(void)snprintf(failure, sizeof(failure), "cannot run the unpacker: %.400s",
			       end->error.text);
	else
		outcome_describe(job, &end->outcome, failure, sizeof(failure));
	if (job->removing)
		removal_done(job, failure);
	else
		unpack_done(job, failure);
	removals_start(layers);
	daemon_changed(layers->daemon);
}

static int job_sandbox(struct job *job, char *const *arguments, int stdin_fd, int stdout_fd,
		       struct error *error)
{
	static char path_entry[] = "PATH=/usr/bin:/bin", locale_entry[] = "LC_ALL=C.UTF-8";
	char *const envp[] = {path_entry, locale_entry, NULL};
	struct layers *layers = job->layers;
	char directory[PATH_MAX + 64], id[64];
	const struct sandbox_bind binds[] = {
		{.source = layers->program, .target = PROGRAM_INSIDE},
		{.source = directory, .target = LAYER_INSIDE, .writable = true, .image = true},
	};
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_close int payload_fd = step_payload_new(arguments, envp);
	struct sandbox_request request = {
		.id = id,
		.image = "host",
		.hostname = "unpack",
		.workdir = "/",
		.binds = binds,
		.n_binds = ARRAY_SIZE(binds),
		.network = STEP_NETWORK_NONE,
		.memory = UNPACK_MEMORY,
		.pids = UNPACK_PIDS,
		.disk = UNPACK_DISK,
		.payload_fd = payload_fd,
		.stdin_fd = stdin_fd,
		.stdout_fd = stdout_fd >= 0 ? stdout_fd : null_fd,
		.stderr_fd = null_fd,
	};

	if (null_fd < 0 || payload_fd < 0)
		return error_set(error, ENOMEM, "cannot prepare the unpacker");
	(void)snprintf(directory, sizeof(directory), "%s/%s", dir_store_path(layers->store),
		       job->dir.name);
	(void)snprintf(id, sizeof(id), "image-%llu-%.12s", (unsigned long long)++layers->n_started,
		       layers->daemon->instance_id);
	if (supervise_start(&job->supervised, &request, error) < 0)
		return -error->number;
	layers->n_running++;
	job->phase = JOB_RUNNING;
	supervise_timeout(&job->supervised, now_usec() + IMAGE_UNPACK_TIMEOUT_SEC * USEC_PER_SEC,
			  0);
	return 0;
}

static void removals_start(struct layers *layers)
{
	static char program[] = PROGRAM_INSIDE, option[] = "--remove", directory[] = LAYER_INSIDE;
	char *const arguments[] = {program, option, directory, NULL};
	struct error error = ERROR_INIT;
	size_t n = 0;

	for (struct job *job = layers->jobs; job; job = job->next)
		n += job->removing && job->phase == JOB_RUNNING;
	for (struct job *job = layers->jobs, *next; job; job = next) {
		next = job->next;
		if (layers->stopping || n >= JOBS_REMOVING_MAX)
			return;
		if (!job->removing || job->phase != JOB_WAITING)
			continue;
		/* a start sees what is left, whatever happens here */
		if (job_sandbox(job, arguments, -1, -1, &error) == 0)
			n++;
		else
			removal_done(job, error.text);
	}
}

/* ---- what runbook-image asks ---- */

void layers_unpack(struct layers *layers, uint64_t number, const char *digest, const char *layer,
		   int blob_fd)
{
	static char program[] = PROGRAM_INSIDE, directory[] = LAYER_INSIDE;
	char digest_option[IMAGE_ID_SIZE + 16], layer_option[IMAGE_ID_SIZE + 16];
	char *const arguments[] = {program, digest_option, layer_option, directory, NULL};
	cleanup_close int read_fd = -1, write_fd = -1;
	struct error error = ERROR_INIT;
	struct job *job = NULL;
	int pair[2];
	size_t n = 0;

	(void)snprintf(digest_option, sizeof(digest_option), "--digest=%s", digest);
	(void)snprintf(layer_option, sizeof(layer_option), "--layer=%s", layer);
	for (const struct job *other = layers->jobs; other; other = other->next)
		n += !other->removing;
	if (layers->stopping || n >= JOBS_RUNNING_MAX || job_find(layers, number))
		(void)error_set(&error, EBUSY, "too many layers are being unpacked");
	else if (pipe2(pair, O_CLOEXEC) < 0)
		(void)error_errno(&error, errno, "cannot make a pipe");
	else
		job = job_new(layers, number);
	if (job) {
		read_fd = pair[0];
		write_fd = pair[1];
		if (dir_store_make(layers->store, ID_IMAGE_FIRST, &job->dir, &error) == 0)
			(void)job_sandbox(job, arguments, blob_fd, write_fd, &error);
	} else if (error.number == 0) {
		(void)error_set(&error, ENOMEM, "out of memory");
	}
	if (error.number == 0) {
		answer(layers, MESSAGE_LAYER_UNPACKING, number, NULL, read_fd);
		return;
	}
	answer(layers, MESSAGE_LAYER_UNPACKED, number, error.text, -1);
	if (job)
		job_discard(job);
}

void layers_opaque(struct layers *layers, uint64_t number, const char *path)
{
	struct job *job = job_find(layers, number);
	cleanup_close int fd = -1;

	if (!job || job->phase != JOB_UNPACKED)
		return;
	/*
	 * Only root may set what the overlay believes. The path is the unpacker's: it stays
	 * beneath the layer and goes through no link, so the worst it can name is another
	 * directory of the same layer.
	 */
	fd = open_beneath(job->dir.fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 || fsync(fd) < 0) {
		char text[256];

		(void)snprintf(text, sizeof(text),
			       "cannot mark a directory of the layer: %s (the store must be on a "
			       "file system with trusted.* attributes)",
			       strerror(fd < 0 ? -fd : errno));
		answer(layers, MESSAGE_LAYER_COMMITTED, number, text, -1);
		job_discard(job);
	}
}

void layers_commit(struct layers *layers, uint64_t number, const char *layer)
{
	struct job *job = job_find(layers, number);
	struct error error = ERROR_INIT;
	int r;

	if (!job || job->phase != JOB_UNPACKED)
		return;
	if (layer[0] == '\0') {
		job_discard(job);
		return;
	}
	/* the unpacker has synced what it wrote */
	r = dir_store_commit(layers->store, &job->dir, layer, &error);
	/* the same layer, unpacked twice at once, is fine */
	answer(layers, MESSAGE_LAYER_COMMITTED, number, r == -EEXIST ? "" : error.text, -1);
	if (job->dir.fd >= 0) {
		job_discard(job);
		return;
	}
	job_unlink(job);
	(void)job_free(job);
}

void layers_forget(struct layers *layers, const char *layer)
{
	struct job *job = job_new(layers, 0);
	int r = job ? dir_store_take_out(layers->store, layer, &job->dir) : -ENOMEM;
	struct message *message;

	if (r == 0) {
		job_discard(job);
	} else if (job) {
		job_unlink(job);
		(void)job_free(job);
	}
	message = message_new(MESSAGE_LAYER_FORGOTTEN, 0);
	if (message) {
		message_put_string(message, layer);
		message_put_u64(message, r < 0 && r != -ENOENT); /* in use */
	}
	(void)link_send(layers->daemon, CHILD_IMAGE, message);
}

void layers_abandon(struct layers *layers)
{
	for (struct job *job = layers->jobs, *next; job; job = next) {
		next = job->next;
		if (job->removing)
			continue;
		job->abandoned = true;
		if (job->phase == JOB_UNPACKED)
			job_discard(job);
		else
			supervise_kill(&job->supervised);
	}
}

void layers_stop(struct layers *layers)
{
	layers->stopping = true;
	for (struct job *job = layers->jobs; job; job = job->next)
		supervise_kill(&job->supervised);
}

void layers_resume(struct layers *layers)
{
	layers->stopping = false;
	removals_start(layers);
}

bool layers_busy(const struct layers *layers)
{
	return layers && layers->n_running > 0;
}

int layers_use(struct layers *layers, const char *layer, char *out)
{
	return dir_store_use(layers->store, layer, out);
}

void layers_release(struct layers *layers, const char *layer)
{
	dir_store_release(layers->store, layer);
}

/* ---- life ---- */

static bool leftover_found(void *userdata, struct dir_claim *claim)
{
	struct job *job = job_new(userdata, 0);

	if (!job) {
		dir_claim_drop(claim);
		return false;
	}
	job->dir = *claim;
	job->removing = true;
	return true;
}

int layers_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	       struct layers **ret_layers, struct error *error)
{
	struct layers *layers = calloc(1, sizeof(*layers));
	struct error missing = ERROR_INIT;
	char path[PATH_MAX + 16];

	if (!layers)
		return error_set(error, ENOMEM, "out of memory");
	layers->daemon = daemon;
	layers->supervisor = (struct supervisor){.loop = daemon->loop, .host = host, .ops = ops};
	(void)snprintf(path, sizeof(path), "%s/layers", daemon->images_dir);
	if (dir_store_open(path, daemon->instance_id, &layers->store, error) < 0) {
		free(layers);
		return -error->number;
	}
	if (program_path_find("runbook-unpack", layers->program, &missing) < 0)
		log_warning("images cannot be unpacked: %s", missing.text);
	*ret_layers = layers;
	dir_store_sweep(layers->store, leftover_found, layers);
	removals_start(layers);
	return 0;
}

struct layers *layers_free(struct layers *layers)
{
	if (!layers)
		return NULL;
	while (layers->jobs) {
		struct job *job = layers->jobs;

		loop_timer_cancel(&job->pause_timer);
		supervise_abandon(&job->supervised, NULL);
		job_unlink(job);
		(void)job_free(job);
	}
	layers->store = dir_store_close(layers->store);
	free(layers);
	return NULL;
}

struct announcement {
	void (*send)(void *userdata, const char *layer);
	void *userdata;
};

static void announce(void *userdata, const char *name)
{
	const struct announcement *announcement = userdata;

	if (image_id_valid(name))
		announcement->send(announcement->userdata, name);
}

void layers_announce(struct layers *layers, void (*send)(void *userdata, const char *layer),
		     void *userdata)
{
	struct announcement announcement = {.send = send, .userdata = userdata};

	dir_store_list(layers->store, announce, &announcement);
}
