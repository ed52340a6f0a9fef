/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_image.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/remove_tree.h"
#include "common/step_user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE_VERSION 6 /* increase it whenever this file makes different templates */
#define COPY_FILE_MAX (4 * MIB)
#define COPY_DEPTH_MAX 8
#define COPY_FILES_MAX 20000

/* Shown read-only. Files that only the host's root may read stay unreadable: it is unmapped. */
static const char *const shown[] = {"/usr", "/opt", "/var/lib/dpkg"};
/* Links into /usr on a merged system; directories of their own on an older one. */
static const char *const system_dirs[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* Files outside of /etc where tools store system-wide credentials (npm config --global). */
static const char *const hidden[] = {
	"/usr/etc/npmrc",
	"/usr/local/etc/npmrc",
	"/usr/local/etc/gitconfig",
};
_Static_assert(ARRAY_SIZE(hidden) <= PLAN_HOST_HIDDEN_MAX, "all fit");

static const struct {
	const char *path;
	unsigned mode;
} skeleton[] = {
	{"etc", 0755},		{"dev", 0755},	     {"proc", 0755},	{"sys", 0755},
	{"tmp", 01777},		{"run", 0755},	     {"usr", 0755},	{"opt", 0755},
	{"home", 0755},		{"root", 0700},	     {"mnt", 0755},	{"media", 0755},
	{"srv", 0755},		{"workspace", 0755}, {"var", 0755},	{"var/lib", 0755},
	{"var/tmp", 01777},	{"var/cache", 0755}, {"var/log", 0755}, {"var/spool", 0755},
	{"var/lib/dpkg", 0755},
};

/*
 * The parts of /etc that programs may need to run and that all users of the host may read. Not
 * in the list: files that usually hold credentials (environment, npmrc, pip.conf, gitconfig,
 * netrc, apt, Maven's settings.xml) and files that identify the host. Directories are copied
 * with all their files that are readable by all.
 */
static const char *const etc_allowed[] = {
	"ImageMagick-6",
	"alternatives",
	"ant",
	"bash.bashrc",
	"bash_completion",
	"bash_completion.d",
	"bindresvport.blacklist",
	"ca-certificates",
	"ca-certificates.conf",
	"crypto-policies",
	"debian_version",
	"default/locale",
	"dpkg",
	"ethertypes",
	"fonts",
	"fpc.cfg",
	"fpc-3.2.2.cfg",
	"gai.conf",
	"ghc",
	"gnucobol",
	"gprofng.rc",
	"groff",
	"gtk-2.0",
	"gtk-3.0",
	"host.conf",
	"inputrc",
	"issue",
	"java",
	"java-8-openjdk",
	"java-11-openjdk",
	"java-17-openjdk",
	"java-21-openjdk",
	"java-25-openjdk",
	"ld.so.cache",
	"ld.so.conf",
	"ld.so.conf.d",
	"libaudit.conf",
	"libnl-3",
	"libnl",
	"locale.alias",
	"locale.conf",
	"locale.gen",
	"localtime",
	"login.defs",
	"lsb-release",
	"magic",
	"magic.mime",
	"mailcap",
	"manpath.config",
	"maven/logging",
	"maven/m2.conf",
	"mime.types",
	"mke2fs.conf",
	"netconfig",
	"networks",
	"os-release",
	"papersize",
	"perl",
	"php",
	"pki",
	"profile",
	"profile.d",
	"protocols",
	"python3",
	"python3.10",
	"python3.11",
	"python3.12",
	"python3.13",
	"python3.14",
	"R",
	"redhat-release",
	"rpc",
	"ruby",
	"services",
	"sgml",
	"shells",
	"skel",
	"ssh/ssh_config",
	"ssh/ssh_config.d",
	"ssl/certs",
	"ssl/openssl.cnf",
	"system-release",
	"terminfo",
	"texmf",
	"timezone",
	"ucf.conf",
	"vim",
	"xattr.conf",
	"xdg",
	"xml",
	"X11",
};

static const struct {
	const char *path, *text;
} etc_generated[] = {
	{"passwd", step_user_host_passwd},
	{"group", step_user_host_group},
	{"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
			  "networks: files\nprotocols: files\nservices: files\nrpc: files\n"
			  "ethers: files\n"},
	{"resolv.conf", ""},
	{"machine-id", ""},
	{"fstab", ""},
	/* su, runuser and sudo: only uid 0 may change to another user */
	{"pam.d/other", "auth sufficient pam_rootok.so\n"
			"auth required pam_deny.so\n"
			"account required pam_permit.so\n"
			"password required pam_deny.so\n"
			"session required pam_permit.so\n"},
	{"sudoers", "root ALL=(ALL:ALL) ALL\n"},
};

static enum plan_presence presence_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? PLAN_ABSENT : PLAN_UNKNOWN;
	return S_ISDIR(st.st_mode) ? PLAN_DIRECTORY : PLAN_FILE;
}

void host_view_probe(struct plan_view *view)
{
	*view = (struct plan_view){0};
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		if (presence_of(shown[i]) == PLAN_DIRECTORY)
			(void)snprintf(view->binds[view->n_binds++].path,
				       sizeof(view->binds[0].path), "%s", shown[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++) {
		struct plan_host_bind bind;

		(void)snprintf(bind.path, sizeof(bind.path), "/%s", system_dirs[i]);
		if (presence_of(bind.path) == PLAN_DIRECTORY)
			view->binds[view->n_binds++] = bind;
	}
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		char path[PATH_MAX];
		struct plan_host_bind *one = &view->hidden[view->n_hidden];

		/* its real path: /usr/local may be a symlink, and masks follow none */
		if (access(hidden[i], F_OK) == 0 && realpath(hidden[i], path) &&
		    strlen(path) < sizeof(one->path)) {
			(void)snprintf(one->path, sizeof(one->path), "%s", path);
			view->n_hidden++;
		}
	}
	for (size_t i = 0; plan_masked(i); i++)
		view->masked[i] = presence_of(plan_masked(i));
	for (size_t i = 0; plan_read_only(i); i++)
		view->read_only[i] = presence_of(plan_read_only(i));
}

/* ---- the name: a hash of the host files that the template is made from ---- */

static void mix(uint64_t *hash, uint64_t value)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		*hash = (*hash ^ ((value >> shift) & 0xff)) * 0x100000001b3ULL; /* FNV-1a */
}

static uint64_t fingerprint(uid_t owner)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	cleanup_close int etc_fd = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	mix(&hash, TEMPLATE_VERSION);
	mix(&hash, owner);
	for (size_t i = 0; i < ARRAY_SIZE(etc_allowed); i++) {
		struct stat st;

		if (fstatat(etc_fd, etc_allowed[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		mix(&hash, i);
		mix(&hash, st.st_ino);
		mix(&hash, (uint64_t)st.st_mtim.tv_sec);
		mix(&hash, (uint64_t)st.st_mtim.tv_nsec);
		mix(&hash, (uint64_t)st.st_size);
	}
	return hash;
}

/* ---- making it ---- */

struct copy {
	uid_t owner;
	unsigned n_files;
};

static int copy_entry(struct copy *copy, int from_fd, const char *from, int to_fd, const char *to,
		      unsigned depth);

static int copy_file(struct copy *copy, int from_fd, const char *from, int to_fd, const char *to,
		     mode_t mode)
{
	cleanup_close int in =
		openat(from_fd, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_close int out = -1;
	cleanup_free char *data = NULL;
	size_t size;
	int r;

	if (in < 0)
		return -errno;
	r = fd_read_file(in, COPY_FILE_MAX, &data, &size);
	if (r < 0)
		return r == -EFBIG ? 0 : r;
	out = openat(to_fd, to, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = fd_write_all(out, data, size);
	if (r == 0 && (fchmod(out, mode & 0755) < 0 || fchown(out, copy->owner, copy->owner) < 0))
		r = -errno;
	return r;
}

/* A stream of its own for the directory @fd. Return: NULL with errno. */
static DIR *directory_stream(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int number = errno;

	if (!dir && copy >= 0)
		(void)close(copy);
	errno = number;
	return dir;
}

/* Copies all entries; those that not all users can read are skipped. */
static int copy_directory(struct copy *copy, int from_fd, const char *from, int to_fd,
			  const char *to, unsigned depth)
{
	cleanup_close int in =
		openat(from_fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int out = -1;
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;

	if (in < 0)
		return -errno;
	if ((mkdirat(to_fd, to, 0755) < 0 && errno != EEXIST))
		return -errno;
	out = openat(to_fd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0 || fchmod(out, 0755) < 0 || fchown(out, copy->owner, copy->owner) < 0)
		return -errno;
	dir = directory_stream(in);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = copy_entry(copy, in, entry->d_name, out, entry->d_name, depth + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Copies only files that all users of the host may read, up to a limit of bytes and files. */
static int copy_entry(struct copy *copy, int from_fd, const char *from, int to_fd, const char *to,
		      unsigned depth)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t length;

	if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (depth > COPY_DEPTH_MAX || ++copy->n_files > COPY_FILES_MAX)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		length = readlinkat(from_fd, from, target, sizeof(target) - 1);
		if (length < 0)
			return -errno;
		target[length] = '\0';
		if (symlinkat(target, to_fd, to) < 0 ||
		    fchownat(to_fd, to, copy->owner, copy->owner, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		return 0;
	}
	if (S_ISDIR(st.st_mode) && (st.st_mode & 0005) == 0005)
		return copy_directory(copy, from_fd, from, to_fd, to, depth);
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
		return copy_file(copy, from_fd, from, to_fd, to, st.st_mode);
	return 0;
}

static int make_dirs(int root_fd, uid_t owner)
{
	for (size_t i = 0; i < ARRAY_SIZE(skeleton); i++) {
		if (mkdirat(root_fd, skeleton[i].path, 0755) < 0 ||
		    fchmodat(root_fd, skeleton[i].path, skeleton[i].mode, 0) < 0 ||
		    fchownat(root_fd, skeleton[i].path, owner, owner, 0) < 0)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++) {
		char host[16], target[PATH_MAX];
		ssize_t length;

		(void)snprintf(host, sizeof(host), "/%s", system_dirs[i]);
		length = readlink(host, target, sizeof(target) - 1);
		if (length >= 0) {
			target[length] = '\0';
			if (symlinkat(target, root_fd, system_dirs[i]) < 0)
				return -errno;
		} else if (errno == EINVAL && mkdirat(root_fd, system_dirs[i], 0755) < 0) {
			return -errno;
		}
	}
	return symlinkat("/run", root_fd, "var/run") < 0 ||
			       symlinkat("/run/lock", root_fd, "var/lock") < 0
		       ? -errno
		       : 0;
}

/* Makes the directory "a" for a path "a/b": the list has no deeper paths. */
static int make_etc_parent(const struct copy *copy, int etc_fd, const char *path)
{
	const char *slash = strchr(path, '/');
	char parent[32];

	if (!slash)
		return 0;
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	if ((mkdirat(etc_fd, parent, 0755) < 0 && errno != EEXIST) ||
	    fchownat(etc_fd, parent, copy->owner, copy->owner, 0) < 0)
		return -errno;
	return 0;
}

static int make_etc_generated(const struct copy *copy, int etc_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(etc_generated); i++) {
		cleanup_close int fd = -1;
		int r = make_etc_parent(copy, etc_fd, etc_generated[i].path);

		if (r < 0)
			return r;
		fd = openat(etc_fd, etc_generated[i].path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
			    0644);
		if (fd < 0)
			return -errno;
		r = fd_write_all(fd, etc_generated[i].text, strlen(etc_generated[i].text));
		if (r < 0 || fchown(fd, copy->owner, copy->owner) < 0)
			return r < 0 ? r : -errno;
	}
	return 0;
}

static int make_etc(struct copy *copy, int root_fd)
{
	cleanup_close int host_fd = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int etc_fd = openat(root_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (host_fd < 0 || etc_fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(etc_allowed); i++) {
		r = make_etc_parent(copy, etc_fd, etc_allowed[i]);
		if (r == 0)
			r = copy_entry(copy, host_fd, etc_allowed[i], etc_fd, etc_allowed[i], 0);
		if (r < 0)
			return r;
	}
	r = make_etc_generated(copy, etc_fd);
	if (r < 0)
		return r;
	return symlinkat("/proc/self/mounts", etc_fd, "mtab") < 0 ? -errno : 0;
}

static int make_template(int dir_fd, const char *name, uid_t owner)
{
	struct copy copy = {.owner = owner};
	cleanup_close int root_fd = -1;
	mode_t old = umask(022);
	int r = 0;

	if (mkdirat(dir_fd, name, 0755) < 0)
		r = -errno;
	else
		root_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == 0 && (root_fd < 0 || fchown(root_fd, owner, owner) < 0))
		r = -errno;
	if (r == 0)
		r = make_dirs(root_fd, owner);
	if (r == 0)
		r = make_etc(&copy, root_fd);
	(void)umask(old);
	return r;
}

/* ---- keeping it ---- */

/* Removes templates of earlier states of the host unless a program holds their lock. */
static void remove_old(int dir_fd, const char *keep)
{
	cleanup_closedir DIR *dir =
		fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_close int fd = -1;

		if (strncmp(entry->d_name, "host-", 5) != 0 || strcmp(entry->d_name, keep) == 0)
			continue;
		fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)remove_tree(dir_fd, entry->d_name);
	}
}

static int open_locked(int dir_fd, const char *name)
{
	cleanup_close int fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat ours, there;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_SH) < 0 || fstat(fd, &ours) < 0)
		return -errno;
	/* another program may have removed it between open and lock */
	if (fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) < 0 || ours.st_ino != there.st_ino)
		return -ENOENT;
	return TAKE_FD(fd);
}

int host_image_open(struct host_image *image, const char *directory, uid_t owner,
		    struct error *error)
{
	cleanup_close int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64], temporary[96];
	int fd, r;

	if (dir_fd < 0)
		return error_errno(error, errno, "cannot open %s", directory);
	(void)snprintf(name, sizeof(name), owner ? "host-%016llx-%u" : "host-%016llx",
		       (unsigned long long)fingerprint(owner), owner);
	fd = open_locked(dir_fd, name);
	if (fd == -ENOENT) {
		(void)snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid());
		(void)remove_tree(dir_fd, temporary);
		r = make_template(dir_fd, temporary, owner);
		/* another program may have made the same one meanwhile, which is as good */
		if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0 && errno != EEXIST &&
		    errno != ENOTEMPTY)
			r = -errno;
		(void)remove_tree(dir_fd, temporary);
		if (r < 0)
			return error_errno(error, -r, "cannot make the image \"host\" in %s",
					   directory);
		fd = open_locked(dir_fd, name);
		if (owner == 0)
			remove_old(dir_fd, name);
	}
	if (fd < 0)
		return error_errno(error, -fd, "cannot open the image %s/%s", directory, name);
	if ((size_t)snprintf(image->path, sizeof(image->path), "%s/%s", directory, name) >=
	    sizeof(image->path)) {
		(void)close(fd);
		return error_set(error, ENAMETOOLONG, "path too long: %s", directory);
	}
	image->lock_fd = fd;
	return 0;
}

void host_image_close(struct host_image *image)
{
	if (image->lock_fd >= 0)
		(void)close(image->lock_fd);
	image->lock_fd = -1;
}
