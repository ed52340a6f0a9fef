/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-image: keeps the list of this host's images, and has them pulled and unpacked. */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/program.h"
#include "images/service.h"
#include "images/skopeo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct service_setup setup;
static const char *store_option;

static const struct program_option options[] = {
	{.name = "store",
	 .value = "DIR",
	 .help = "where images are (default var/lib/runbookd/images beneath --root)",
	 .text = &store_option},
};

/* ---- lock-down ---- */

static const char *oci_path(void)
{
	return setup.oci_path;
}

/*
 * skopeo inherits the lock-down, so this is all it can reach: the store, registries, and the
 * system's configuration for them.
 */
static const struct lock_down_path reached[] = {
	{.path = "STORE/oci", .find = oci_path, .write = true, .mode = 0700},
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
	{.path = PROGRAM_INTERPRETER, .execute = true},
	{.path = "skopeo", .find = skopeo_find, .execute = true},
};

/* System calls of skopeo, a program written in Go, besides those of all our programs. */
static const char *const syscalls[] = {
	/* to start skopeo, and its threads */
	"clone", "clone3", "execve", "seccomp", "pidfd_getfd", "process_vm_readv", "socketpair",
	"wait4", "waitid", "kill", "prctl", "pidfd_open", "pidfd_send_signal", "dup2", "setpgid",
	"setrlimit", "chdir", "fchdir", "umask", "mincore", "getcwd", "readlink", "readlinkat",
	"timer_create", "timer_settime", "timer_delete", "getpgrp", "getpgid", "setitimer", "vfork",
	"access", "faccessat", "faccessat2", "getgroups", "getresuid", "getresgid", "pipe", "mmap",
	/* files of the store */
	"openat", "openat2", "open", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
	"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "stat",
	"lstat", "getdents64", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs",
	"utimensat", "chmod", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "lchown",
	"chown", "flock", "statfs", "fadvise64", "copy_file_range", "sendfile", "splice",
	"lgetxattr", "getxattr", "llistxattr", "listxattr",
	/* the registry */
	"socket", "connect", "bind", "sendmmsg", "recvmmsg", "ioctl", NULL};

static const struct lock_down image_lock_down = {
	.role = ROLE_IMAGE,
	.paths = reached,
	.n_paths = ARRAY_SIZE(reached),
	/* guard.c decides on connections; Go binds sockets to find out which IP versions work */
	.network = {.connects_anywhere = true, .binds_free_port = true},
	.syscalls = syscalls,
};

/* ---- start ---- */

static int prepare(struct process *process, struct error *error)
{
	int length = store_option ? snprintf(setup.oci_path, sizeof(setup.oci_path), "%s/oci",
					     store_option)
				  : snprintf(setup.oci_path, sizeof(setup.oci_path),
					     "%s/images/oci", process->paths.lib);

	/* skopeo's argument is "oci:PATH:NAME", in which a colon cannot be quoted */
	if (length >= PATH_MAX - 64 || strpbrk(setup.oci_path, ":,"))
		return error_set(error, EINVAL,
				 "the store's path is too long, or has a colon in it: %s",
				 setup.oci_path);
	if (!skopeo_find())
		log_warning("skopeo is not installed: images can be imported, but not pulled");
	process->userdata = &setup;
	return 0;
}

static const struct program image_program = {
	.name = "runbook-image",
	.purpose = "Keeps the images of this host.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.lock_down = &image_lock_down,
	.prepare = prepare,
	.service = &image_service,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &image_program};

	return program_main(&process, argc, argv);
}
