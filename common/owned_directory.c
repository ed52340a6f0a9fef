/* SPDX-License-Identifier: Apache-2.0 */
#include "common/owned_directory.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int directory_check(int fd, const char *path, uid_t uid, struct error *error)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot stat %s", path);
	if (st.st_uid != uid)
		return error_set(error, EPERM,
				 "%s belongs to user %u instead of %u: run `chown -R %u %s` if "
				 "what is in it can be trusted, or move it away",
				 path, st.st_uid, uid, uid, path);
	if (st.st_mode & S_IWOTH)
		return error_set(error, EPERM,
				 "%s is writable by everybody: look for what does not belong "
				 "there, then run `chmod o-w %s`",
				 path, path);
	return 0;
}

int owned_directory_make(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *error)
{
	cleanup_close int fd = -1;
	bool made;
	int r;

	/* check only the last component: the parents are the administrator's decision */
	r = make_directories(AT_FDCWD, path, 0755);
	made = r == 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(error, EPERM,
				 "%s is a symbolic link or no directory: remove it, or mount the "
				 "other place there (`mount --bind`)",
				 path);
	if (fd < 0)
		return error_errno(error, made ? errno : -r, "cannot make %s", path);
	/* a directory that root has just made is empty: change its owner */
	if (geteuid() == 0) {
		struct stat st;

		if (fstat(fd, &st) == 0 && st.st_uid == 0 && uid != 0 && fchown(fd, uid, gid) < 0)
			return error_errno(error, errno, "cannot give %s to user %u", path, uid);
	}
	if (directory_check(fd, path, geteuid() == 0 ? uid : geteuid(), error) < 0)
		return -error->number;
	if (geteuid() == 0 && fchown(fd, uid, gid) < 0)
		return error_errno(error, errno, "cannot give %s to group %u", path, gid);
	if (fchmod(fd, mode) < 0)
		return error_errno(error, errno, "cannot set the mode of %s", path);
	return 0;
}
