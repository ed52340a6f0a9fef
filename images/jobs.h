/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_JOBS_H
#define IMAGES_JOBS_H

/*
 * DOC: Pulls and imports
 *
 *   waiting    two run at a time
 *   fetching   skopeo copies blobs into the store
 *   unpacking  layer after layer, by the daemon's sandboxes; those that are there
 *              are left as they are
 *   done       record and name are written, the scheduler knows
 *   failed     with a sentence
 *
 * Asking for what is being pulled joins that job, if it is pulled with the same
 * credentials (or without): a run of a fork never gains by what another asked
 * for. Ended jobs are kept until
 * their places are needed, so that who asked can see what came of it.
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

int jobs_new(struct service *service, struct jobs **ret_jobs);
/** jobs_free() - kills what runs. NULL is fine. Return: NULL. */
struct jobs *jobs_free(struct jobs *jobs);

/**
 * struct job_request - what is wanted
 * @name:      what the image will be called
 * @source:    reference of a pull, otherwise what job_kind_parse() took
 * @upload_fd: taken over, -1 for a pull
 * @project:   whose steps wait for it: the scheduler is told when it fails; NULL: none do
 * @fork:      these are steps of a fork: no credentials
 */
struct job_request {
	enum job_kind kind;
	const char *name, *source;
	int upload_fd;
	const char *project;
	bool fork;
};

/**
 * jobs_add() - begin, or join what does the same with the same credentials
 *
 * Return: 0 with *@ret_id, or -errno with @error.
 */
int jobs_add(struct jobs *jobs, const struct job_request *request, uint64_t *ret_id,
	     struct error *error);
/** jobs_describe() - {"job","state","text","name","image"}, NULL when there is none of @id */
json_t *jobs_describe(struct jobs *jobs, uint64_t id);
/** jobs_busy() - does any run or wait? */
bool jobs_busy(const struct jobs *jobs);

/* answers of the daemon */
void jobs_unpacking(struct jobs *jobs, uint64_t number, int report_fd);
void jobs_unpacked(struct jobs *jobs, uint64_t number, const struct error *error);
void jobs_committed(struct jobs *jobs, uint64_t number, const struct error *error);

#endif
