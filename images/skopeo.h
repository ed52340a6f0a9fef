/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SKOPEO_H
#define IMAGES_SKOPEO_H

/*
 * DOC: skopeo, one process for each pull
 *
 * It talks to the registry and writes blobs; it has no file but the store's, the
 * system's certificates and configuration, and its own temporary directory. An
 * archive that was uploaded is copied there first, by the same process, so that
 * the service never waits for a disk. What it connects to is judged by a process
 * between it and the service: see guard.h.
 */

#include "common/error.h"
#include "common/loop.h"

#include <stdbool.h>
#include <sys/types.h>

#define SKOPEO_TEXT_MAX 1024

struct skopeo {
	struct loop *loop;
	pid_t pid; /* 0: none runs */
	int pid_fd, output_fd;
	struct loop_file exit_file, output_file;
	struct loop_timer deadline;
	bool late;
	int status;		    /* of waitpid(2), when done */
	char line[SKOPEO_TEXT_MAX]; /* the last one it wrote, to be shown */
	char partial[SKOPEO_TEXT_MAX];
	size_t n_partial;
	void (*done)(struct skopeo *skopeo);
};
#define SKOPEO_NULL                                                                                \
	((struct skopeo){.pid_fd = -1,                                                             \
			 .output_fd = -1,                                                          \
			 .exit_file = LOOP_FILE_NULL,                                              \
			 .output_file = LOOP_FILE_NULL,                                            \
			 .deadline = LOOP_TIMER_NULL})

/**
 * struct skopeo_job - what it shall do
 * @source:       as skopeo names it, "docker://…"; with an upload "docker-archive" or
 *                "oci-archive", and ":TAG" where one of several is meant
 * @directory:    its own, absolute; the layout is made in <directory>/layout
 * @directory_fd: the same, open
 * @blobs:        <store>/oci/blobs, absolute
 * @upload_fd:    archive to be copied first, -1: none
 * @auth_fd:      memfd with credentials, -1: none
 * @listed:       registries that may be reached at private addresses, see guard.h
 */
struct skopeo_job {
	const char *source;
	const char *directory;
	int directory_fd;
	const char *blobs;
	int upload_fd;
	int auth_fd;
	const char *const *listed;
	bool insecure;
};

/** skopeo_find() - path of the program, NULL when it is not installed */
const char *skopeo_find(void);
/** skopeo_start() - @skopeo->done is called once, when it has ended. Return: 0 or -errno. */
int skopeo_start(struct skopeo *skopeo, struct loop *loop, const struct skopeo_job *job,
		 void (*done)(struct skopeo *skopeo), struct error *error);
/** skopeo_stop() - kill it, without done() */
void skopeo_stop(struct skopeo *skopeo);
/**
 * skopeo_describe() - why it failed, a sentence with what to do
 *
 * Return: true if the same pull may succeed later; false where a person has to act first.
 */
bool skopeo_describe(const struct skopeo *skopeo, char *out, size_t size);

#endif
