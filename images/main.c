/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-image: knows the images of this host, and has them pulled and unpacked. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/paths.h"
#include "images/service.h"
#include "images/skopeo.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERPRETER "/lib64/ld-linux-x86-64.so.2"

static const char usage[] =
	"Usage: runbook-image [--root DIR] [--store DIR]\n"
	"Keeps the images of this host. Started by runbookd, with its channel on fd 3.\n"
	"\n"
	"  --root DIR    put all paths under DIR (default $RUNBOOK_ROOT or /)\n"
	"  --store DIR   where images are (default var/lib/runbookd/images beneath --root)\n"
	"  --help, --version\n";

struct arguments {
	const char *root, *store;
};

/* Return: -1 to go on, or an exit code. */
static int arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"store", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int code;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (code) {
		case 'r':
			arguments->root = optarg;
			break;
		case 's':
			arguments->store = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)puts("runbook-image " RUNBOOK_VERSION);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "runbook-image: unexpected argument \"%s\"; see --help\n",
			      argv[optind]);
		return 2;
	}
	return -1;
}

/* What skopeo, a program written in Go, does besides what all of ours do. */
static const char *const syscalls[] = {
	/* starting it, and what it starts threads with */
	"clone", "clone3", "execve", "seccomp", "pidfd_getfd", "process_vm_readv", "socketpair",
	"wait4", "waitid", "kill", "prctl", "pidfd_open", "pidfd_send_signal", "dup2", "setpgid",
	"setrlimit", "chdir", "fchdir", "umask", "mincore", "getcwd", "readlink", "readlinkat",
	"timer_create", "timer_settime", "timer_delete", "getpgrp", "getpgid", "setitimer", "vfork",
	"access", "faccessat", "faccessat2", "getgroups", "getresuid", "getresgid", "pipe",
	/* files of the store */
	"openat", "openat2", "open", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
	"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "stat",
	"lstat", "getdents64", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs",
	"utimensat", "chmod", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "lchown",
	"chown", "flock", "statfs", "fadvise64", "copy_file_range", "sendfile", "splice",
	"lgetxattr", "getxattr", "llistxattr", "listxattr",
	/* the registry */
	"socket", "connect", "bind", "sendmmsg", "recvmmsg", "ioctl", NULL};

/*
 * The passport. skopeo inherits it: what it can reach are the store, the
 * registry, and the system's configuration of both.
 */
static int isolate(const struct service_setup *setup, struct error *error)
{
	const char *skopeo = skopeo_find();
	struct isolation_path paths[24] = {
		{.path = setup->oci_path, .write = true},
		{.path = "/usr"},
		{.path = "/lib"},
		{.path = "/lib64"},
		{.path = "/etc/ssl"},
		{.path = "/etc/pki"},
		{.path = "/etc/ca-certificates"},
		{.path = "/etc/containers"},
		{.path = "/etc/docker/certs.d"},
		{.path = "/etc/resolv.conf"},
		{.path = "/run/systemd/resolve"},
		{.path = "/etc/nsswitch.conf"},
		{.path = "/etc/hosts"},
		{.path = "/etc/host.conf"},
		{.path = "/etc/gai.conf"},
		{.path = "/etc/services"},
		{.path = "/etc/ld.so.cache"},
		{.path = "/etc/passwd"},
		{.path = "/dev/urandom"},
		{.path = "/sys/kernel/mm/transparent_hugepage"},
		{.path = INTERPRETER, .execute = true},
	};
	size_t n = 21;
	int r;

	if (skopeo)
		paths[n++] = (struct isolation_path){.path = skopeo, .execute = true};
	else
		log_warning("skopeo is not installed: images can be imported, but not pulled");
	r = isolate_user(role_user(ROLE_IMAGE), error);
	if (r == 0)
		r = isolate_filesystem(paths, n, error);
	if (r == 0)
		r = isolate_syscalls(syscalls, error);
	return r;
}

/* Made by runbookd, or here when it is started alone; the user's from then on. */
static int store_prepare(const struct arguments *arguments, struct service_setup *setup,
			 struct error *error)
{
	struct role_user user = role_user(ROLE_IMAGE);
	struct paths paths;
	struct stat st;
	int length, r;

	if (paths_init(&paths, arguments->root, error) < 0)
		return -error->number;
	length = arguments->store ? snprintf(setup->oci_path, sizeof(setup->oci_path), "%s/oci",
					     arguments->store)
				  : snprintf(setup->oci_path, sizeof(setup->oci_path),
					     "%s/images/oci", paths.lib);
	/* skopeo takes "oci:PATH:NAME": there is no way to write a colon */
	if (length >= PATH_MAX - 64 || strpbrk(setup->oci_path, ":,"))
		return error_set(error, EINVAL,
				 "the store's path is too long, or has a colon in it: %s",
				 setup->oci_path);
	r = make_directories(AT_FDCWD, setup->oci_path, 0700);
	if (r < 0)
		return error_errno(error, -r, "cannot make %s", setup->oci_path);
	if (lstat(setup->oci_path, &st) == 0 && geteuid() == 0 && st.st_uid == 0 &&
	    S_ISDIR(st.st_mode) && lchown(setup->oci_path, user.uid, user.gid) < 0)
		return error_errno(error, errno, "cannot give %s away", setup->oci_path);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.root = NULL};
	struct service_setup setup = {.store = STORE_NULL};
	struct error error = ERROR_INIT;
	int code = arguments_parse(&arguments, argc, argv);
	int r;

	if (code >= 0)
		return code;
	if (fcntl(CHANNEL_FD, F_GETFD) < 0) {
		(void)fputs("runbook-image: descriptor 3 is not open; this program is started by "
			    "runbookd\n",
			    stderr);
		return 2;
	}
	r = isolate_fds(CHANNEL_FD, &error);
	log_open("runbook-image");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0077);
	if (r == 0)
		r = store_prepare(&arguments, &setup, &error);
	if (r == 0)
		r = isolate(&setup, &error);
	if (r == 0 && sodium_init() < 0)
		r = error_set(&error, EIO, "libsodium cannot start");
	if (r == 0)
		r = store_open(&setup.store, setup.oci_path, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return 1;
	}
	r = service_run(&setup);
	store_close(&setup.store);
	return r;
}
