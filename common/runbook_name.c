/* SPDX-License-Identifier: Apache-2.0 */
#include "common/runbook_name.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

const char *runbook_misnamed(int dir_fd)
{
	static const char *const names[] = {
		"runbook.yaml", ".runbook.yml",	 ".runbook.yaml", "Runbook.yml", "Runbook.yaml",
		"RUNBOOK.yml",	"RUNBOOK.YML",	 "RUNBOOK.yaml",  "runbook.YML", "runbook.yml.txt",
		"runbooks.yml", "runbooks.yaml", "runbook.json",  "runbook",
	};
	struct stat status;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (fstatat(dir_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode))
			return names[i];
	}
	return NULL;
}
