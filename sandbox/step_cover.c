/* SPDX-License-Identifier: Apache-2.0 */
/* Masks and covers over parts of /proc and /sys. */
#include "sandbox/step_attach.h"

#include "common/cleanup.h"
#include "sandbox/host_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 160
/* names in scratch, which is the working directory until the root changes */
#define HIDDEN_SYSFS "sysfs"
#define ROOT "root"

/*
 * A bind by names: one call where descriptors need five. mount(2) follows links, so this is
 * only for paths in the /dev, /proc and /sys that were mounted before, where no component comes
 * from the image. Return: 0 or -errno.
 */
static int bind_by_name(const char *from_base, const char *from, const char *to)
{
	char source[PATH_BYTES], target[PATH_BYTES];
	size_t base = strlen(from_base), n_from = strlen(from), n_to = strlen(to);

	if (base + n_from >= sizeof(source) || sizeof(ROOT) + n_to >= sizeof(target))
		return -ENAMETOOLONG;
	memcpy(source, from_base, base);
	memcpy(source + base, from, n_from + 1);
	memcpy(target, ROOT, sizeof(ROOT) - 1);
	memcpy(target + sizeof(ROOT) - 1, to, n_to + 1);
	return mount(source, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* Outside of /proc: by descriptors, following no link. */
static int mask_elsewhere(struct attach *attach, const struct plan_op *op)
{
	cleanup_close int mount_fd = -1, target_fd = step_mount_target(attach, op, false, false);
	bool directory = op->value == PLAN_DIRECTORY;
	struct stat st;

	if (target_fd < 0)
		return target_fd == -ENOENT ? 0 : target_fd;
	if (op->value == PLAN_UNKNOWN) {
		if (fstat(target_fd, &st) < 0)
			return error_errno(&attach->error, errno, "cannot mask %s", op->target);
		directory = S_ISDIR(st.st_mode);
	}
	mount_fd = open_tree(attach->dev_fd, directory ? "pts" : "null",
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0)
		return error_errno(&attach->error, errno, "cannot mask %s", op->target);
	return step_mount_move(attach, mount_fd, target_fd, op->target);
}

/*
 * A file is covered by the null device, a directory by /dev/pts, which is still empty. Both
 * come from the read-only /dev that the host made, not from the image (CVE-2025-31133).
 */
int step_mount_mask(struct attach *attach, const struct plan_op *op, int fd)
{
	int r;

	if (op->value == PLAN_UNKNOWN || strncmp(op->target, "/proc/", 6) != 0)
		return mask_elsewhere(attach, op);
	r = bind_by_name(ROOT "/dev/", op->value == PLAN_DIRECTORY ? "pts" : "null", op->target);
	if (r < 0 && r != -ENOENT)
		return error_errno(&attach->error, -r, "cannot mask %s", op->target);
	return 0;
}

/* The host's empty mount namespace has the covered /sys ready, once for all steps. */
static int sys_ready(struct attach *attach, int target_fd, const char *name)
{
	cleanup_close int fd = open_tree(AT_FDCWD, HOST_BASE_SYS,
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		return error_errno(&attach->error, errno, "cannot copy %s", name);
	return step_mount_move(attach, fd, target_fd, name);
}

/*
 * The target shows empty directories that the host made, with parts of sysfs bound on them;
 * sysfs itself is mounted where no path inside leads to it. A kernel may lack some parts.
 */
int step_mount_narrow(struct attach *attach, const struct plan_op *op, int fd)
{
	static const unsigned strict =
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
	static const char *const shown[] = {"/sys/" PLAN_SYS_CPU, "/sys/" PLAN_SYS_NODE,
					    "/sys/" PLAN_SYS_MM};
	cleanup_close int sysfs_fd = -1, cover_fd = -1;
	cleanup_close int target_fd = step_mount_target(attach, op, true, true);
	int r;

	if (target_fd < 0)
		return target_fd;
	if (attach->base_fd >= 0)
		return sys_ready(attach, target_fd, op->target);
	sysfs_fd = step_mount_make(attach, "sysfs", NULL, strict, op->target);
	if (sysfs_fd < 0)
		return sysfs_fd;
	cover_fd = open_tree(attach->dev_fd, HOST_DEV_SYS, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (cover_fd < 0 ||
	    move_mount(sysfs_fd, "", attach->scratch_fd, HIDDEN_SYSFS, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(&attach->error, errno, "cannot mount %s", op->target);
	r = step_mount_move(attach, cover_fd, target_fd, op->target);
	for (size_t i = 0; i < ARRAY_SIZE(shown) && r == 0; i++) {
		r = bind_by_name(HIDDEN_SYSFS, shown[i] + strlen("/sys"), shown[i]);
		if (r == -ENOENT)
			r = 0;
		else if (r < 0)
			return error_errno(&attach->error, -r, "cannot show %s", shown[i]);
	}
	return r;
}
