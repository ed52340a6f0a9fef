/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IMAGE_VERB_H
#define COMMON_IMAGE_VERB_H

/** enum image_verb - requests of the api to runbook-image, with the fields that each uses */
enum image_verb {
	IMAGE_LIST = 0,
	IMAGE_PULL = 1,	  /* source (docker://…), [name]: answered with a job */
	IMAGE_IMPORT = 2, /* name, source (kind: rootfs, docker-archive, oci-archive), fd: job */
	IMAGE_REMOVE = 3, /* name */
	IMAGE_PRUNE = 4,
	IMAGE_JOB = 5, /* job */
	IMAGE_NUM_VERBS,
};

#endif
