/* SPDX-License-Identifier: Apache-2.0 */
/* Starts skopeo for a job: chooses its credentials, registries and directory. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "images/job.h"
#include "images/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* skopeo has ended: read the image, and go on to its layers, or fail the job. */
static void fetched(struct skopeo *skopeo)
{
	struct job *job = container_of(skopeo, struct job, skopeo);
	cleanup_close int layout_fd = -1;
	struct error error = ERROR_INIT;
	char text[1024];

	if (skopeo->late || skopeo->status != 0) {
		job->again = skopeo_describe(skopeo, text, sizeof(text));
		job_fail(job, 0, text);
		return;
	}
	layout_fd = openat(job->directory_fd, "layout", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout_fd < 0)
		(void)error_errno(&error, errno, "skopeo left nothing");
	else
		(void)oci_read(job->jobs->service->store, layout_fd, &job->image, &error);
	if (error.number != 0) {
		job_fail(job, error.number, error.text);
		return;
	}
	job_state_set(job, JOB_UNPACKING);
	job_next_layer(job);
}

/* Is the registry of @reference ("registry.local:5000/a/b:tag") listed in Insecure=? */
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

int job_fetch(struct job *job, struct error *error)
{
	const struct service *service = job->jobs->service;
	const struct waiter *waiter = job->n_waiters ? &job->waiters[0] : NULL;
	char source[IMAGE_NAME_MAX + 16], blobs[PATH_MAX + 16];
	char insecure[INSECURE_MAX * (IMAGE_NAME_MAX + 1) + 1];
	const char *listed[LISTED_MAX + 1];
	const char *auth = NULL;
	size_t auth_size = 0;
	struct skopeo_job what = {.source = source, .directory = job->directory, .blobs = blobs};

	if (make_directory(job, error) < 0)
		return -error->number;
	if (job->kind == JOB_PULL)
		(void)snprintf(source, sizeof(source), "docker://%s", job->source);
	else
		(void)snprintf(source, sizeof(source), "%s", job->source);
	(void)snprintf(blobs, sizeof(blobs), "%s/blobs", service->oci_path);
	if (job->kind == JOB_PULL) {
		/* the configuration may have changed since the request */
		const char *whose =
			policy_auth(&service->config.policy, waiter ? waiter->project : NULL,
				    waiter && waiter->fork, job->source, &auth, &auth_size);

		if (strcmp(whose, job->auth) != 0)
			return error_set(error, EAGAIN,
					 "credentials were changed meanwhile: pull again");
	}
	if (auth_size > 0) {
		job->auth_fd = memfd_sealed("auth", auth, auth_size);
		if (job->auth_fd < 0)
			return error_errno(error, -job->auth_fd,
					   "cannot pass credentials to skopeo");
	}
	service_listed(service, insecure, listed);
	what.listed = listed;
	what.directory_fd = job->directory_fd;
	what.upload_fd = job->upload_fd;
	what.auth_fd = job->auth_fd;
	what.insecure = job->kind == JOB_PULL && is_insecure(service, job->source);
	return skopeo_start(&job->skopeo, service->loop, &what, fetched, error);
}
