/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SKOPEO_H
#define IMAGES_SKOPEO_H

/*
 * DOC: Running skopeo
 *
 * skopeo(1) talks to registries and writes blobs, one process for each pull. It reaches only the
 * store, the system's certificates and configuration, and a temporary directory of its own. Before
 * exec, its process copies an uploaded archive into that directory, so that the service never
 * waits for the disk. A process between skopeo and the service decides what skopeo may connect
 * to (guard.h).
 */

#include "common/error.h"
#include "common/loop.h"

#include <stdbool.h>
#include <sys/types.h>

#define SKOPEO_TEXT_MAX 1024

struct skopeo {
	struct loop *loop;
	pid_t pid; /* of the guard, skopeo's parent; 0: not running */
	int pid_fd, output_fd;
	struct loop_file exit_file, output_file;
	struct loop_timer deadline;
	bool late;
	int status;		    /* from waitpid(2), valid in done() */
	char line[SKOPEO_TEXT_MAX]; /* the last line of its output, for people */
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
 * struct skopeo_job - one run of skopeo
 * @source:       in skopeo's syntax, "docker://…"; for an upload, "docker-archive" or
 *                "oci-archive", with ":TAG" to choose one of several images
 * @directory:    absolute path of its own directory; the layout is made in <directory>/layout
 * @directory_fd: the same directory, open
 * @blobs:        absolute path of <store>/oci/blobs
 * @upload_fd:    archive that is copied first; -1: none
 * @auth_fd:      memfd with credentials; -1: none
 * @listed:       registries that may be reached at private addresses, see guard.h
 * @insecure:     the registry may be without TLS, or with an unverified certificate
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

/** skopeo_find() - path of the program; NULL when it is not installed */
const char *skopeo_find(void);
/** skopeo_start() - start it; @done is called once, after its end. Return: 0 or -errno. */
int skopeo_start(struct skopeo *skopeo, struct loop *loop, const struct skopeo_job *job,
		 void (*done)(struct skopeo *skopeo), struct error *error);
/** skopeo_stop() - kill it, without a call of done() */
void skopeo_stop(struct skopeo *skopeo);
/**
 * skopeo_describe() - a sentence with the reason of its failure, and the fix
 *
 * Return: true if the same pull may succeed later; false if a person has to act first.
 */
bool skopeo_describe(const struct skopeo *skopeo, char *out, size_t size);

#endif
