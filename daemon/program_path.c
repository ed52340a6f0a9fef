/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/program_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int program_path_find(const char *program, char *out, struct error *error)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (length < 0)
		return error_errno(error, errno, "cannot read /proc/self/exe");
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (slash &&
	    snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - self), self, program) < PATH_MAX &&
	    access(out, X_OK) == 0)
		return 0;
	if (snprintf(out, PATH_MAX, "%s/%s", RUNBOOK_LIBEXECDIR, program) < PATH_MAX &&
	    access(out, X_OK) == 0)
		return 0;
	return error_set(error, ENOENT, "there is no %s beside %s nor in %s: build or install it",
			 program, self, RUNBOOK_LIBEXECDIR);
}
