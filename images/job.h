/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_JOB_H
#define IMAGES_JOB_H

/*
 * DOC: A pull or import
 *
 * Shared by jobs.c, which queues jobs and drives them through their states (jobs.h), job_fetch.c,
 * which runs skopeo, and job_finish.c, which records the image. Other files include jobs.h.
 */

#include "images/jobs.h"
#include "images/oci.h"
#include "images/skopeo.h"

#include <limits.h>

enum job_state { JOB_WAITING, JOB_FETCHING, JOB_UNPACKING, JOB_DONE, JOB_FAILED, JOB_NUM_STATES };

struct job {
	struct jobs *jobs;
	struct job *next;
	uint64_t id;
	enum job_kind kind;
	enum job_state state;
	struct waiter {
		char project[PROJECT_NAME_MAX + 1];
		bool fork;
	} * waiters; /* projects whose steps wait for the image */
	size_t n_waiters;
	bool again;			 /* failed, but another attempt later may succeed */
	char auth[PROJECT_NAME_MAX + 1]; /* whose credentials it uses, see scope.h */
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
	size_t layer;	 /* index of the current one */
	uint64_t number; /* of the LAYER_UNPACK that runbookd works on; 0: none */
	struct loop_file report_file;
	char *report;
	size_t report_size;
	bool report_ended, unpacked;
	struct error unpack_error;
};

struct jobs {
	struct service *service;
	struct job *first; /* the newest first */
	size_t n;
	uint64_t last_id, last_number;
};

/** job_state_set() - the only way that a job changes its state; jobs.c has the table */
void job_state_set(struct job *job, enum job_state to);
/**
 * job_fail() - end the job as failed, with @text, which may be job->text
 * @number: errno value of the failure, 0: none. After ENOSPC and EDQUOT another attempt may
 *          succeed, so job->again is set
 */
void job_fail(struct job *job, int number, const char *text);
/** job_next_layer() - unpack the next layer that is missing, or finish the job */
void job_next_layer(struct job *job);
/** job_fetch() - start skopeo; job_next_layer() follows. Return: 0, or -errno with @error set. */
int job_fetch(struct job *job, struct error *error);
/** job_finish() - write record, scope and name of an image that has all its layers. Return: true,
 * or false after a call of job_fail(). */
bool job_finish(struct job *job);

#endif
