/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-fetcher: brings commits from forges to lib/repos and lib/trees. */
#include "common/cleanup.h"
#include "fetcher/child.h"
#include "fetcher/service.h"
#include "fetcher/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* our program, but not by its path, which may lead through a home that only root can enter */
#define OWN_PROGRAM "/proc/self/exe"

static struct fetch_limits limits = FETCH_LIMITS_INIT;
static struct service_setup setup = {.limits = &limits, .starter_fd = -1, .trees_fd = -1};
static struct starter_setup starter_setup = {.limits = &limits, .exe_fd = -1};
static bool child;

static const struct program_option options[] = {
	{.name = "timeout",
	 .value = "N",
	 .help = "seconds that one fetch may take",
	 .number = &limits.timeout_sec,
	 .min = 1,
	 .max = FETCH_TIMEOUT_SEC},
	{.name = "pack-max",
	 .value = "N",
	 .help = "bytes that one fetch may receive",
	 .number = &limits.pack,
	 .min = 1,
	 .max = FETCH_PACK_MAX},
	{.name = "file-max",
	 .value = "N",
	 .help = "bytes of one file",
	 .number = &limits.blob,
	 .min = 1,
	 .max = FETCH_BLOB_MAX},
	{.name = "tree-max",
	 .value = "N",
	 .help = "bytes of one checked-out tree",
	 .number = &limits.tree,
	 .min = 1,
	 .max = FETCH_TREE_BYTES_MAX},
	{.name = "entries-max",
	 .value = "N",
	 .help = "files, directories and symlinks of one tree",
	 .number = &limits.tree_entries,
	 .min = 1,
	 .max = FETCH_TREE_ENTRIES_MAX},
	{.name = "child", .flag = &child},
};

/* ---- a child: one fetch ---- */

static int child_main(struct process *process)
{
	return child_run(&process->paths, &limits);
}

static const struct lock_down child_lock_down = {
	.process = "child",
	.role = ROLE_FETCHER,
	/* the child has the starter's ids already, but exec(2) made it dumpable again; child.c
	 * restricts the rest when it knows its job */
	.user_only = true,
};

static const struct program child_program = {
	.name = "runbook-fetcher",
	.lock_down = &child_lock_down,
	.run = child_main,
};

/* ---- the starter ---- */

static const struct lock_down_path starter_reached[] = {
	/*
	 * The whole file system may be read, as far as the user id allows it, because a project's
	 * file:// repository may be anywhere; each child then keeps its own project only.
	 */
	{.place = PLACE_HOST, .path = "/"},
	{.place = PLACE_LIB, .path = "/repos", .write = true, .mode = 0750},
	{.place = PLACE_LIB, .path = "/trees", .write = true, .whiteouts = true, .mode = 0750},
	/* only our own program can be executed */
	{.place = PLACE_HOST, .path = OWN_PROGRAM, .execute = true},
	{.place = PLACE_HOST, .path = PROGRAM_INTERPRETER, .execute = true},
};

static const char *const starter_syscalls[] = {
	"clone", "execve", "execveat", "wait4", "kill", "prctl", "pidfd_open", "dup2", "setpgid",
	"setrlimit", "socketpair",
	/* for its children, which inherit this filter; see child.c */
	"openat", "openat2", "open", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",
	"renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat",
	"stat", "lstat", "access", "faccessat", "faccessat2", "getdents64", "ftruncate",
	"fallocate", "fsync", "fdatasync", "syncfs", "msync", "utimensat", "fchmod", "flock",
	"getcwd", "statfs", "fadvise64", "umask", "copy_file_range", "mknodat-whiteout", "socket",
	"connect", "bind", "sendmmsg", "recvmmsg", "ioctl", "seccomp", "capset",
	"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "mmap", NULL};

static const struct lock_down starter_lock_down = {
	.process = "starter",
	.role = ROLE_FETCHER,
	.paths = starter_reached,
	.n_paths = ARRAY_SIZE(starter_reached),
	/* the port depends on the project; each child keeps one */
	.network = {.connects_anywhere = true},
	.syscalls = starter_syscalls,
	.next = &child_lock_down,
};

static int starter_prepare(struct process *process, struct error *error)
{
	process->userdata = &starter_setup;
	starter_setup.exe_fd = open(OWN_PROGRAM, O_PATH | O_CLOEXEC);
	return starter_setup.exe_fd < 0 ? error_errno(error, errno, "cannot open our own program")
					: 0;
}

static const struct program starter_program = {
	.name = "runbook-fetcher",
	.lock_down = &starter_lock_down,
	.prepare = starter_prepare,
	.run = starter_run,
};

/* The starter's channel replaces ours to runbookd; program_run() closes all other descriptors. */
static _Noreturn void starter_main(int fd, const char *root)
{
	static struct process process = {.program = &starter_program};

	process.root = root;
	exit(dup2(fd, CHANNEL_FD) < 0 ? 1 : program_run(&process));
}

/* ---- the service ---- */

static const struct lock_down_path service_reached[] = {
	{.place = PLACE_LIB, .path = "/trees", .mode = 0750, .fd = &setup.trees_fd},
};

static const char *const service_syscalls[] = {"openat", "openat2", "socketpair", "wait4", NULL};

static const struct lock_down service_lock_down = {
	.process = "service",
	.role = ROLE_FETCHER,
	.paths = service_reached,
	.n_paths = ARRAY_SIZE(service_reached),
	.syscalls = service_syscalls,
	.next = &starter_lock_down,
};

static int service_prepare(struct process *process, struct error *error)
{
	int fds[2];

	process->userdata = &setup;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(error, errno, "cannot make a channel to the starter");
	setup.starter_pid = fork();
	if (setup.starter_pid < 0)
		return error_errno(error, errno, "cannot start the starter");
	if (setup.starter_pid == 0)
		starter_main(fds[1], process->root);
	(void)close(fds[1]);
	setup.starter_fd = fds[0];
	return 0;
}

static const struct program fetcher_program = {
	.name = "runbook-fetcher",
	.purpose = "Fetches commits and checks them out.\nLimits can only be lowered.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.lock_down = &service_lock_down,
	.prepare = service_prepare,
	.service = &fetcher_service,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &fetcher_program};
	int code = program_options_parse(&process, argc, argv);

	if (code >= 0)
		return code;
	if (child)
		process.program = &child_program;
	return program_run(&process);
}
