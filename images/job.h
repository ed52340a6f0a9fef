/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_JOB_H
#define IMAGES_JOB_H

/* One pull or import, as jobs.c and the files job_*.c share it. */

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
	} * waiters; /* whose steps wait for it */
	size_t n_waiters;
	bool again;			 /* it failed, and might do well in a while */
	char auth[PROJECT_NAME_MAX + 1]; /* with whose credentials, see scope.h */
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
	struct error unpack_error;
};

struct jobs {
	struct service *service;
	struct job *first; /* the newest first */
	size_t n;
	uint64_t last_id, last_number;
};

/**
 * job_fail() - it ends with @text, which may be its own
 * @number: errno value of the failure; a full disk may have room again, so the image is then
 *          asked for once more; 0: none
 */
void job_fail(struct job *job, int number, const char *text);
/** job_next_layer() - unpack the next one that is not there, or finish */
void job_next_layer(struct job *job);
/** job_fetch() - start skopeo; it goes on with job_next_layer(). Return: 0 or -errno with @error. */
int job_fetch(struct job *job, struct error *error);
/** job_finish() - all layers are there: write record, scope and name. Return: whether it is done;
 * if not, job_fail() was called. */
bool job_finish(struct job *job);

#endif
