/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_mounts.h"

#include "common/cleanup.h"
#include "sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- /dev ---- */

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {
	{"null", 1, 3},	  {"zero", 1, 5},    {"full", 1, 7},
	{"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
	const char *name, *target;
} device_links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},	     {"core", "/proc/kcore"},
};

static const char *const device_dirs[] = {"pts", "shm", "mqueue"};

/* ---- the cover of /sys ---- */

/* Some exist, empty, for programs that search for hardware and expect the directory. */
static const char *const sys_dirs[] = {
	"",
	"/block",
	"/bus",
	"/class",
	"/class/net",
	"/dev",
	"/dev/block",
	"/dev/char",
	"/devices",
	"/devices/system",
	"/devices/system/cpu",
	"/devices/system/node",
	"/firmware",
	"/fs",
	"/fs/cgroup",
	"/kernel",
	"/kernel/mm",
	"/module",
};

/* Makes empty directories in @name of @dir_fd, mount points for step_mount_narrow(). */
static int sys_cover_fill(int dir_fd, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sys_dirs); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s%s", name, sys_dirs[i]);
		if (mkdirat(dir_fd, path, 0755) < 0)
			return -errno;
	}
	return 0;
}

/* ---- /dev, filled ---- */

static int dev_fill(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		if (mknodat(fd, devices[i].name, S_IFCHR | 0666,
			    makedev(devices[i].major, devices[i].minor)) < 0)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(device_links) - 1; i++) {
		if (symlinkat(device_links[i].target, fd, device_links[i].name) < 0)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(device_dirs); i++) {
		if (mkdirat(fd, device_dirs[i], 0755) < 0)
			return -errno;
	}
	/* the step's /dev/shm will cover it */
	return sys_cover_fill(fd, HOST_DEV_SYS);
}

static int dev_new(struct error *error)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	cleanup_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	cleanup_close int fd = -1;
	mode_t mask;
	int r;

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", "dev", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(error, errno, "cannot make a file system for /dev");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return error_errno(error, errno, "cannot mount a file system for /dev");
	mask = umask(0);
	r = dev_fill(fd);
	(void)umask(mask);
	if (r < 0)
		return error_errno(error, -r, "cannot make device nodes");
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(error, errno, "cannot make /dev read-only");
	return TAKE_FD(fd);
}

int host_dev_clone(struct host_dev *dev, struct error *error)
{
	int fd;

	if (dev->n_given++ == 0)
		return dev_new(error);
	if (dev->fd < 0)
		dev->fd = dev_new(error);
	if (dev->fd < 0)
		return dev->fd;
	fd = open_tree(dev->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != EINVAL)
		return error_errno(error, errno, "cannot copy /dev");
	return dev_new(error);
}

/* ---- the empty mount namespace ---- */

struct base_maker {
	int root_fd;  /* a detached, read-only tmpfs */
	int sysfs_fd; /* a detached sysfs */
	int namespace_fd;
	int failed; /* errno */
};

/* Binds the visible parts of /sys on the cover, once for all steps. A kernel may lack some. */
static int base_sys_show(const struct base_maker *maker)
{
	static const char *const shown[] = {PLAN_SYS_CPU, PLAN_SYS_NODE, PLAN_SYS_MM};

	if (move_mount(maker->sysfs_fd, "", AT_FDCWD, &HOST_BASE_STAGE[1],
		       MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		char from[64], to[64];

		(void)snprintf(from, sizeof(from), "%s/%s", &HOST_BASE_STAGE[1], shown[i]);
		(void)snprintf(to, sizeof(to), "%s/%s", &HOST_BASE_SYS[1], shown[i]);
		if (mount(from, to, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			return -errno;
	}
	return umount2(&HOST_BASE_STAGE[1], MNT_DETACH) < 0 ? -errno : 0;
}

/*
 * Runs in a new mount namespace, sharing the descriptors of its parent. First goes to the real
 * root of the namespace, since the host process may be in a chroot; then makes the tmpfs the
 * root and unmounts the old one.
 */
static int base_main(void *argument)
{
	struct base_maker *maker = argument;
	int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    move_mount(maker->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(maker->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		maker->failed = errno;
	else
		maker->failed = -base_sys_show(maker);
	maker->namespace_fd = fd;
	return 0;
}

static int base_root_make(struct error *error)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	cleanup_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	cleanup_close int fd = -1;

	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(error, errno, "cannot make an empty file system");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0 || mkdirat(fd, &HOST_BASE_STAGE[1], 0700) < 0 ||
	    sys_cover_fill(fd, &HOST_BASE_SYS[1]) < 0 ||
	    mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(error, errno, "cannot mount an empty file system");
	return TAKE_FD(fd);
}

static int base_sysfs_make(struct error *error)
{
	cleanup_close int fs_fd = fsopen("sysfs", FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs_fd >= 0 && fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
				     MOUNT_ATTR_RDONLY);
	return fd < 0 ? error_errno(error, errno, "cannot mount sysfs") : fd;
}

static int base_new(struct error *error)
{
	cleanup_close int root_fd = base_root_make(error);
	cleanup_close int sysfs_fd = root_fd < 0 ? -1 : base_sysfs_make(error);
	cleanup_close int pidfd = -1;
	struct base_maker maker = {.root_fd = root_fd, .sysfs_fd = sysfs_fd, .namespace_fd = -1};
	pid_t pid;

	if (root_fd < 0 || sysfs_fd < 0)
		return root_fd < 0 ? root_fd : sysfs_fd;
	pid = spawn_vfork(CLONE_NEWNS | CLONE_FILES, -1, &pidfd, base_main, &maker);
	if (pid < 0)
		return error_errno(error, -pid, "cannot make a mount namespace");
	(void)spawn_wait(pidfd);
	if (maker.failed) {
		if (maker.namespace_fd >= 0)
			(void)close(maker.namespace_fd);
		return error_errno(error, maker.failed, "cannot empty a mount namespace");
	}
	return maker.namespace_fd;
}

int host_base_get(struct host_base *base, struct error *error)
{
	if (base->n_given++ == 0)
		return -1;
	if (base->fd < 0)
		base->fd = base_new(error);
	return base->fd;
}

/* ---- trees of the host ---- */

static int source_open(const struct plan_op *op, struct error *error)
{
	/* the last component must not be a symlink, which the owner of the tree could plant */
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_NO_MAGICLINKS};
	cleanup_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, op->source, &how, sizeof(how));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot open %s", op->source);
	if (S_ISLNK(st.st_mode))
		return error_set(error, ELOOP, "%s is a symbolic link: name what it points to",
				 op->source);
	if ((op->flags & PLAN_IDMAP_OWNER) && st.st_uid != op->owner_uid)
		return error_set(error, EPERM, "%s belongs to user %u, not to user %u as expected",
				 op->source, st.st_uid, op->owner_uid);
	if (op->verb == PLAN_LAYER && !S_ISDIR(st.st_mode))
		return error_set(error, ENOTDIR, "%s is not a directory", op->source);
	return TAKE_FD(fd);
}

int host_mount_clone(const struct plan_op *op, struct user_slot *slot, struct error *error)
{
	unsigned recursive = op->flags & PLAN_RECURSIVE ? AT_RECURSIVE : 0;
	/* a copy of a shared mount is its peer (mount_namespaces(7)), and systemd makes all of
		 * the host's shared: a mount within the copy would appear on the host, too */
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				  .propagation = MS_PRIVATE};
	cleanup_close int source_fd = source_open(op, error);
	cleanup_close int fd = -1;
	int mapping_fd = -1;

	if (source_fd < 0)
		return source_fd;
	if (!(op->flags & PLAN_WRITABLE))
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (op->flags & PLAN_IDMAP_STEP)
		mapping_fd = slot->userns_fd;
	if (op->flags & PLAN_IDMAP_OWNER) {
		mapping_fd = user_slot_mapping(slot, op, error);
		if (mapping_fd < 0)
			return mapping_fd;
	}
	if (op->flags & PLAN_IDMAP_IMAGE) {
		mapping_fd = user_slot_image_mapping(slot, error);
		if (mapping_fd < 0)
			return mapping_fd;
	}
	if (mapping_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)mapping_fd;
	}
	fd = open_tree(source_fd, "",
		       AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (fd < 0)
		return error_errno(error, errno, "cannot copy the mount of %s", op->source);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) < 0) {
		if (mapping_fd >= 0 && errno == EINVAL)
			return error_set(error, EINVAL,
					 "the file system of %s cannot shift user ids (id-mapped "
					 "mounts): use ext4, xfs, btrfs, or tmpfs on Linux 6.3 or "
					 "newer",
					 op->source);
		return error_errno(error, errno, "cannot set the attributes of %s", op->source);
	}
	return TAKE_FD(fd);
}
