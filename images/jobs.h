/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_JOBS_H
#define IMAGES_JOBS_H

/*
 * DOC: Pulls and imports
 *
 * A job is one pull or import of an image, at a person's request or because steps wait for the
 * image. It goes through these states, and may fail in each of the first three:
 *
 *   waiting    for one of the IMAGE_PULLS_AT_ONCE places
 *   fetching   skopeo copies blobs into the store
 *   unpacking  runbookd's sandboxes unpack layer after layer; layers that exist are skipped
 *   done       record and name are written, and the scheduler has them
 *   failed     job->text has the reason
 *
 * A request for an image that is being pulled joins that job only if both use the same credentials
 * (or none), so that a run of a fork never profits from another project's pull. Ended jobs are
 * kept until their places are needed, so that people can look up how they ended.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/message.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct service;
struct jobs;

enum job_kind { JOB_PULL, JOB_ROOTFS, JOB_DOCKER_ARCHIVE, JOB_OCI_ARCHIVE, JOB_NUM_KINDS };

/** job_kind_parse() - "rootfs", "docker-archive[:TAG]", "oci-archive[:TAG]", or JOB_NUM_KINDS */
enum job_kind job_kind_parse(const char *name);

/** jobs_new() - @service must outlive the jobs. Return: 0 or -ENOMEM. */
int jobs_new(struct service *service, struct jobs **ret_jobs);
/** jobs_free() - kill running jobs and free all; NULL is allowed. Return: NULL. */
struct jobs *jobs_free(struct jobs *jobs);

/**
 * struct job_request - a request for a pull or import
 * @name:      name that the image will have
 * @source:    reference of a pull; for an import, the text that job_kind_parse() accepted
 * @upload_fd: archive of an import, owned by the job; -1 for a pull
 * @project:   its steps wait for the image, so a failure is reported to the scheduler; NULL: none
 * @fork:      the steps belong to a fork, for which no credentials are used
 */
struct job_request {
	enum job_kind kind;
	const char *name, *source;
	int upload_fd;
	const char *project;
	bool fork;
};

/**
 * jobs_add() - begin a job, or join one that does the same with the same credentials
 *
 * Return: 0 with the job's number in *@ret_id, or -errno with @error set.
 */
int jobs_add(struct jobs *jobs, const struct job_request *request, uint64_t *ret_id,
	     struct error *error);
/** jobs_describe() - {"job","state","text","name","image"} of job @id; NULL: it is not known */
json_t *jobs_describe(struct jobs *jobs, uint64_t id);
/** jobs_busy() - is a job running or waiting? */
bool jobs_busy(const struct jobs *jobs);

/* runbookd's messages about LAYER_UNPACK @number; a number that no job has is ignored */
/** jobs_unpacking() - the sandbox runs; its report comes from @report_fd, which is owned */
void jobs_unpacking(struct jobs *jobs, uint64_t number, int report_fd);
/** jobs_unpacked() - the sandbox has ended; @error->number is 0 or why it failed */
void jobs_unpacked(struct jobs *jobs, uint64_t number, const struct error *error);
/** jobs_committed() - the layer is in place; @error->number is 0 or why it is not */
void jobs_committed(struct jobs *jobs, uint64_t number, const struct error *error);

#endif
