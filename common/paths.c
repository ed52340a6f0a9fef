/* SPDX-License-Identifier: Apache-2.0 */
#include "common/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int path_format(char *out, const char *root, const char *path, struct error *error)
{
	int n = snprintf(out, PATH_MAX, "%s%s", root, path);

	/* run/ has unix sockets: keep their paths below the 108 bytes of sun_path */
	if (n < 0 || n >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the root directory's path is too long");
	return 0;
}

int paths_init(struct paths *paths, const char *root, struct error *error)
{
	size_t length;
	int r;

	if (!root)
		root = getenv("RUNBOOK_ROOT");
	if (!root || strcmp(root, "/") == 0)
		root = "";
	if (*root && root[0] != '/') {
		char cwd[PATH_MAX];

		if (!getcwd(cwd, sizeof(cwd)))
			return error_errno(error, errno, "cannot read the current directory");
		if (snprintf(paths->root, PATH_MAX, "%s/%s", cwd, root) >= PATH_MAX)
			return error_set(error, ENAMETOOLONG,
					 "the root directory's path is too long");
	} else if (snprintf(paths->root, PATH_MAX, "%s", root) >= PATH_MAX) {
		return error_set(error, ENAMETOOLONG, "the root directory's path is too long");
	}
	for (length = strlen(paths->root); length > 0 && paths->root[length - 1] == '/'; length--)
		paths->root[length - 1] = '\0';
	r = path_format(paths->etc, paths->root,
			*paths->root ? "/etc/runbookd" : RUNBOOK_SYSCONFDIR "/runbookd", error);
	if (r == 0)
		r = path_format(paths->lib, paths->root, "/var/lib/runbookd", error);
	if (r == 0)
		r = path_format(paths->log, paths->root, "/var/log/runbookd", error);
	if (r == 0)
		r = path_format(paths->run, paths->root, "/run/runbookd", error);
	return r;
}
