/* SPDX-License-Identifier: Apache-2.0 */
#include "images/jobs.h"

#include <string.h>

static const char *const kind_names[JOB_NUM_KINDS] = {
	[JOB_PULL] = "docker",
	[JOB_ROOTFS] = "rootfs",
	[JOB_DOCKER_ARCHIVE] = "docker-archive",
	[JOB_OCI_ARCHIVE] = "oci-archive",
};

enum job_kind job_kind_parse(const char *name)
{
	int i = JOB_ROOTFS;

	size_t length = strcspn(name, ":");

	while (i < JOB_NUM_KINDS &&
	       (strlen(kind_names[i]) != length || memcmp(kind_names[i], name, length) != 0))
		i++;
	return (enum job_kind)i;
}
