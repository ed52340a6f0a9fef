/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/step_attach.h"

#include "common/beneath.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUP_TTY 5
#define INODES_MIN 4096
/* all mounts share kernel.pty.max (4096, of which 1024 are reserved for the host) */
#define PTYS_MAX "64"

/* ---- paths inside ---- */

/*
 * Paths inside are resolved beneath the new root and without symbolic links, so an image or a
 * workspace cannot redirect a mount (CVE-2019-19921, CVE-2021-30465 and their like).
 */
static int open_inside(const struct attach *attach, const char *path)
{
	path += strspn(path, "/");
	return open_beneath(attach->root_fd, *path ? path : ".", O_PATH, 0);
}

static int make_target(const struct attach *attach, const char *path, bool directory)
{
	const struct beneath_make make = {.mode = 0755, .owner = attach->base};
	cleanup_close int parent_fd = -1, fd = -1;
	const char *name;

	path += strspn(path, "/");
	if (directory)
		return mkdir_beneath(attach->root_fd, path, &make);
	parent_fd = parent_beneath(attach->root_fd, path, &make, &name);
	if (parent_fd < 0)
		return parent_fd;
	fd = openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 && errno != EEXIST ? -errno : 0;
}

int step_mount_target(struct attach *attach, const struct plan_op *op, bool create, bool directory)
{
	int fd = open_inside(attach, op->target);

	if (fd == -ENOENT && create) {
		int r = make_target(attach, op->target, directory);

		if (r < 0)
			return error_errno(&attach->error, -r, "cannot make %s inside", op->target);
		fd = open_inside(attach, op->target);
	}
	if (fd >= 0)
		return fd;
	if (fd == -ENOENT && (op->flags & PLAN_OPTIONAL))
		return -ENOENT;
	if (fd == -ELOOP)
		return error_set(&attach->error, ELOOP,
				 "%s inside is behind a symbolic link, which is refused: the image "
				 "or the workspace must have a real directory there",
				 op->target);
	return error_errno(&attach->error, -fd, "cannot open %s inside", op->target);
}

int step_mount_move(struct attach *attach, int mount_fd, int target_fd, const char *name)
{
	if (move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(&attach->error, errno, "cannot mount on %s inside", name);
	return 0;
}

/* ---- file systems by the new mount API ---- */

/* Adds the file system's own message if there is one: "e overlay: …". */
static int fs_failed(struct attach *attach, int fs_fd, int number, const char *what)
{
	char text[256];
	ssize_t size = fs_fd >= 0 ? read(fs_fd, text, sizeof(text) - 1) : 0;

	if (size > 2 && text[1] == ' ') {
		text[size] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return error_set(&attach->error, number, "cannot mount %s: %s", what, text + 2);
	}
	return error_errno(&attach->error, number, "cannot mount %s", what);
}

int step_mount_make(struct attach *attach, const char *type, const struct fs_option *options,
		    unsigned attributes, const char *what)
{
	cleanup_close int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0)
		return error_errno(&attach->error, errno, "cannot mount %s (%s)", what, type);
	for (; options && options->key; options++) {
		if (fsconfig(fs_fd, options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     options->key, options->value, 0) < 0)
			return fs_failed(attach, fs_fd, errno, what);
	}
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_failed(attach, fs_fd, errno, what);
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return fs_failed(attach, fs_fd, errno, what);
	return fd;
}

/* Instead of snprintf(), which may lock or allocate. */
static char *put_number(char *end, uint64_t number)
{
	*--end = '\0';
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return end;
}

/* ---- scratch: one tmpfs for everything that the step writes ---- */

/*
 * The caller may be in a chroot. Mounts of the step would then be below a root that is not the
 * namespace's, and with CAP_SYS_CHROOT root inside could climb above it. setns(2) to our own
 * new mount namespace goes back to its real root; the files that we need from the chroot are
 * open already.
 */
static int enter_copy_of_host(struct attach *attach)
{
	cleanup_close int namespace_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	attach->stage_fd = open(attach->stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (attach->stage_fd < 0)
		return error_errno(&attach->error, errno, "cannot open %s", attach->stage);
	if (namespace_fd < 0 || setns(namespace_fd, CLONE_NEWNS) < 0)
		return error_errno(&attach->error, errno, "cannot enter the new mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(&attach->error, errno, "cannot make mounts private");
	return 0;
}

int step_mount_private(struct attach *attach, const struct plan_op *op, int fd)
{
	if (attach->base_fd < 0)
		return enter_copy_of_host(attach);
	/* the mounts of the empty namespace are private already */
	if (setns(attach->base_fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
		return error_errno(&attach->error, errno, "cannot make a mount namespace");
	attach->stage_fd = open(attach->stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (attach->stage_fd < 0)
		return error_errno(&attach->error, errno, "cannot open %s", attach->stage);
	return 0;
}

int step_mount_scratch(struct attach *attach, const struct plan_op *op, int fd)
{
	char size[24], inodes[24], owner[24];
	/* inodes use kernel memory: as many as small files fit into the space */
	uint64_t n_inodes = op->value / 4096 < INODES_MIN ? INODES_MIN : op->value / 4096;
	char *owner_text = put_number(owner + sizeof(owner), attach->base);
	const struct fs_option options[] = {
		{"size", put_number(size + sizeof(size), op->value)},
		{"nr_inodes", put_number(inodes + sizeof(inodes), n_inodes)},
		{"uid", owner_text},
		{"gid", owner_text},
		{"mode", "0755"},
		{"source", "scratch"},
		{NULL, NULL},
	};
	cleanup_close int mount_fd = -1;

	mount_fd = step_mount_make(attach, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				   "the scratch file system");
	if (mount_fd < 0)
		return mount_fd;
	if (move_mount(mount_fd, "", attach->stage_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(&attach->error, errno, "cannot mount scratch on %s",
				   attach->stage);
	attach->scratch_fd = TAKE_FD(mount_fd);
	if (fchdir(attach->scratch_fd) < 0)
		return error_errno(&attach->error, errno, "cannot enter scratch");
	return 0;
}

static int make_dir(const struct plan_op *op)
{
	return mkdir(op->target, (mode_t)op->value) < 0 ? -errno : 0;
}

static int make_file(const struct plan_op *op)
{
	cleanup_close int fd = open(op->target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	size_t length = strlen(op->source);

	if (fd < 0)
		return -errno;
	/* a tmpfs writes all bytes or fails with ENOSPC */
	if (write(fd, op->source, length) != (ssize_t)length)
		return -ENOSPC;
	return 0;
}

int step_mount_scratch_dir(struct attach *attach, const struct plan_op *op, int fd)
{
	int r = make_dir(op);

	if (r == 0 && (op->inside_uid != 0 || op->inside_gid != 0)) {
		/* as root for a moment: chown(2) checks the fsuid */
		(void)syscall(SYS_setfsuid, 0);
		if (lchown(op->target, attach->base + op->inside_uid,
			   attach->base + op->inside_gid) < 0)
			r = -errno;
		(void)syscall(SYS_setfsuid, attach->base);
	}
	return r < 0 ? error_errno(&attach->error, -r, "cannot make scratch directory %s",
				   op->target)
		     : 0;
}

int step_mount_scratch_file(struct attach *attach, const struct plan_op *op, int fd)
{
	int r = make_file(op);

	return r < 0 ? error_errno(&attach->error, -r, "cannot write %s in scratch", op->target)
		     : 0;
}

int step_mount_layer(struct attach *attach, const struct plan_op *op, int fd)
{
	if (move_mount(fd, "", attach->scratch_fd, op->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(&attach->error, errno, "cannot mount the layer %s", op->source);
	return 0;
}

/*
 * Overlays are made here and not by the host: until Linux 6.15 their layers must be mounted in
 * the mount namespace of the caller. redirect_dir allows renaming directories of the lower
 * layer, as on a plain file system.
 */
static int overlay_make(struct attach *attach, const char *lower, const char *upper,
			const char *work, const char *what)
{
	const struct fs_option options[] = {
		{"source", "overlay"},	{"lowerdir", lower}, {"upperdir", upper}, {"workdir", work},
		{"redirect_dir", "on"}, {"index", "off"},    {"metacopy", "off"}, {NULL, NULL},
	};

	return step_mount_make(attach, "overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			       what);
}

/* "0:1:2", topmost first. Return: false if it does not fit into one option. */
static bool join_lowers(const struct plan *plan, size_t n_lowers, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n_lowers; i++) {
		size_t length = strlen(plan->lowers[i]);

		if (used + length + 1 > size)
			return false;
		memcpy(out + used, plan->lowers[i], length);
		used += length;
		out[used++] = i + 1 < n_lowers ? ':' : '\0';
	}
	return n_lowers > 0;
}

/* One option for each layer, since Linux 6.8. */
static int overlay_make_many(struct attach *attach, const struct plan *plan, size_t n_lowers)
{
	struct fs_option options[SANDBOX_LAYERS_MAX + 8] = {
		{"source", "overlay"},	{"upperdir", "upper"}, {"workdir", "work"},
		{"redirect_dir", "on"}, {"index", "off"},      {"metacopy", "off"},
	};
	size_t n = 6;
	int fd;

	for (size_t i = 0; i < n_lowers; i++)
		options[n++] = (struct fs_option){"lowerdir+", plan->lowers[i]};
	fd = step_mount_make(attach, "overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			     "the root overlay");
	if (fd == -EINVAL)
		return error_set(&attach->error, EINVAL,
				 "an image of %zu layers needs Linux 6.8 or newer: flatten it",
				 n_lowers);
	return fd;
}

int step_mount_root(struct attach *attach, const struct plan_op *op, int fd)
{
	const struct plan *plan = attach->plan;
	cleanup_close int mount_fd = -1;
	char joined[256];
	size_t n_lowers = 0;

	while (n_lowers < SANDBOX_LAYERS_MAX && plan->lowers[n_lowers][0] != '\0')
		n_lowers++;
	if (n_lowers == 0)
		mount_fd = overlay_make(attach, "lower", "upper", "work", "the root overlay");
	else if (join_lowers(plan, n_lowers, joined, sizeof(joined)))
		mount_fd = overlay_make(attach, joined, "upper", "work", "the root overlay");
	else
		mount_fd = overlay_make_many(attach, plan, n_lowers);
	if (mount_fd < 0)
		return mount_fd;
	if (move_mount(mount_fd, "", attach->scratch_fd, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(&attach->error, errno, "cannot mount the root");
	attach->root_fd = TAKE_FD(mount_fd);
	return 0;
}

int step_mount_overlay(struct attach *attach, const struct plan_op *op, int fd)
{
	cleanup_close int mount_fd = -1, target_fd = -1;

	mount_fd = overlay_make(attach, attach->plan->workspace_layers, "workspace",
				"workspace-work", "the workspace overlay");
	if (mount_fd < 0)
		return mount_fd;
	target_fd = step_mount_target(attach, op, true, true);
	if (target_fd < 0)
		return target_fd;
	return step_mount_move(attach, mount_fd, target_fd, op->target);
}

/* ---- mounts inside ---- */

int step_mount_bind(struct attach *attach, const struct plan_op *op, int fd)
{
	cleanup_close int target_fd = -1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(&attach->error, errno, "cannot look at %s", op->source);
	target_fd = step_mount_target(attach, op, true, S_ISDIR(st.st_mode));
	if (target_fd < 0)
		return target_fd;
	return step_mount_move(attach, fd, target_fd, op->target);
}

int step_mount_scratch_bind(struct attach *attach, const struct plan_op *op, int fd)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC};
	cleanup_close int mount_fd = -1, target_fd = -1;

	mount_fd = open_tree(attach->scratch_fd, op->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0 || ((op->flags & PLAN_READ_ONLY) &&
			     mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0))
		return error_errno(&attach->error, errno, "cannot use scratch directory %s",
				   op->source);
	target_fd = step_mount_target(attach, op, true, true);
	if (target_fd < 0)
		return target_fd;
	return step_mount_move(attach, mount_fd, target_fd, op->target);
}

int step_mount_filesystem(struct attach *attach, const struct plan_op *op, int fd)
{
	static const unsigned strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	cleanup_close int mount_fd = -1, target_fd = -1;
	unsigned attributes = strict;
	char number[24];
	const struct fs_option pts[] = {
		{"mode", "0620"},
		{"ptmxmode", "0666"},
		{"gid", put_number(number + sizeof(number), (uint64_t)attach->base + GROUP_TTY)},
		{"max", PTYS_MAX},
		{NULL, NULL},
	};
	const struct fs_option *options = NULL;

	if (strcmp(op->source, "devpts") == 0) {
		options = pts;
		attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	} else if (strcmp(op->source, "cgroup2") == 0) {
		attributes = strict | MOUNT_ATTR_RDONLY;
	}
	target_fd = step_mount_target(attach, op, true, true);
	if (target_fd < 0)
		return op->flags & PLAN_OPTIONAL ? 0 : target_fd;
	mount_fd = step_mount_make(attach, op->source, options, attributes, op->target);
	if (mount_fd < 0) {
		if (!(op->flags & PLAN_OPTIONAL))
			return mount_fd;
		attach->error = ERROR_INIT;
		return 0;
	}
	return step_mount_move(attach, mount_fd, target_fd, op->target);
}

int step_mount_readonly(struct attach *attach, const struct plan_op *op, int fd)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	cleanup_close int mount_fd = -1, target_fd = -1;

	target_fd = step_mount_target(attach, op, false, false);
	if (target_fd < 0)
		return target_fd == -ENOENT ? 0 : target_fd;
	mount_fd = open_tree(target_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0 || mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(&attach->error, errno, "cannot make %s read-only", op->target);
	return step_mount_move(attach, mount_fd, target_fd, op->target);
}

/*
 * In a copy of the host's mount namespace, pivot_root(2) and an unmount remove the host's
 * mounts. In the empty namespace our root just covers the empty one: no process can climb below
 * a mount on the root of its namespace. That needs no unmount, and saves the kernel's grace
 * period.
 */
int step_mount_pivot(struct attach *attach, const struct plan_op *op, int fd)
{
	int r;

	if (attach->base_fd >= 0)
		r = move_mount(attach->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
		    fchdir(attach->root_fd) < 0 || chroot(".") < 0;
	else
		r = fchdir(attach->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
		    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0;
	if (r)
		return error_errno(&attach->error, errno, "cannot change the root");
	return 0;
}
