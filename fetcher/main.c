/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-fetcher: brings commits from forges to lib/repos and lib/trees. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/paths.h"
#include "fetcher/child.h"
#include "fetcher/service.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERPRETER "/lib64/ld-linux-x86-64.so.2"

static const char usage[] =
	"Usage: runbook-fetcher [--root DIR] [limits]\n"
	"Fetches commits and checks them out. Started by runbookd, with its channel on fd 3.\n"
	"\n"
	"  --root DIR         put all paths under DIR (default $RUNBOOK_ROOT or /)\n"
	"  --timeout N        seconds that one fetch may take\n"
	"  --pack-max N       bytes that one fetch may receive\n"
	"  --file-max N       bytes of one file\n"
	"  --tree-max N       bytes of one checked-out tree\n"
	"  --entries-max N    files, directories and symlinks of one tree\n"
	"  --help, --version\n"
	"Limits can only be lowered.\n";

enum option_code {
	OPTION_ROOT = 256,
	OPTION_CHILD,
	OPTION_LIMIT, /* and above: index into limit_fields */
};

static const struct {
	const char *name;
	size_t offset;
} limit_fields[] = {
	{"timeout", offsetof(struct fetch_limits, timeout_sec)},
	{"pack-max", offsetof(struct fetch_limits, pack)},
	{"file-max", offsetof(struct fetch_limits, blob)},
	{"tree-max", offsetof(struct fetch_limits, tree)},
	{"entries-max", offsetof(struct fetch_limits, tree_entries)},
};

struct arguments {
	const char *root;
	bool child;
	struct fetch_limits limits;
};

static int limit_parse(struct arguments *arguments, size_t index, const char *text)
{
	uint64_t *field =
		(uint64_t *)(void *)((char *)&arguments->limits + limit_fields[index].offset);
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || value < 1 || value > *field) {
		(void)fprintf(stderr,
			      "runbook-fetcher: --%s takes a number from 1 to %" PRIu64
			      ", not \"%s\"\n",
			      limit_fields[index].name, *field, text);
		return 2;
	}
	*field = value;
	return -1;
}

/* Return: -1 to go on, or an exit code. */
static int arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, OPTION_ROOT},
		{"child", no_argument, NULL, OPTION_CHILD},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"timeout", required_argument, NULL, OPTION_LIMIT + 0},
		{"pack-max", required_argument, NULL, OPTION_LIMIT + 1},
		{"file-max", required_argument, NULL, OPTION_LIMIT + 2},
		{"tree-max", required_argument, NULL, OPTION_LIMIT + 3},
		{"entries-max", required_argument, NULL, OPTION_LIMIT + 4},
		{NULL, 0, NULL, 0},
	};
	int code;
	int r = -1;

	*arguments = (struct arguments){.limits = FETCH_LIMITS_INIT};
	while (r < 0 && (code = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (code) {
		case OPTION_ROOT:
			arguments->root = optarg;
			break;
		case OPTION_CHILD:
			arguments->child = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)puts("runbook-fetcher " RUNBOOK_VERSION);
			return 0;
		case '?':
			(void)fputs("Try runbook-fetcher --help.\n", stderr);
			return 2;
		default:
			r = limit_parse(arguments, (size_t)(code - OPTION_LIMIT), optarg);
		}
	}
	if (r < 0 && optind < argc) {
		(void)fprintf(stderr, "runbook-fetcher: unexpected argument \"%s\"; see --help\n",
			      argv[optind]);
		return 2;
	}
	return r;
}

/* lib/repos and lib/trees, made while we are root, owned by who will write there */
static int state_prepare(const struct paths *paths, const char *name, struct role_user user,
			 char *out, struct error *error)
{
	struct stat st;
	int r;

	if (snprintf(out, PATH_MAX, "%s/%s", paths->lib, name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the root directory's path is too long");
	r = make_directories(AT_FDCWD, paths->lib, 0755);
	if (r < 0)
		return error_errno(error, -r, "cannot make %s", paths->lib);
	if (mkdir(out, 0750) == 0 && geteuid() == 0 && lchown(out, user.uid, user.gid) < 0)
		return error_errno(error, errno, "cannot give %s to uid %u", out, user.uid);
	if (lstat(out, &st) < 0)
		return error_errno(error, errno, "cannot make %s", out);
	if (!S_ISDIR(st.st_mode) || (geteuid() == 0 && st.st_uid != user.uid) || (st.st_mode & 022))
		return error_set(error, EPERM,
				 "%s must be a directory of uid %u that nobody else can write; "
				 "correct it with \"chown %u:%u\" and \"chmod 750\"",
				 out, user.uid, user.uid, user.gid);
	return 0;
}

/*
 * The passport. Reading is open to all of the file system as far as the user id
 * goes, because a project's file:// repository may be anywhere; each child then
 * keeps its own project only. Nothing but our own program can be started.
 */
static int isolate(const struct paths *paths, struct service_setup *setup, struct error *error)
{
	static const char *const syscalls[] = {
		"openat", "openat2", "clone", "execve", "execveat", "wait4", "kill", "prctl",
		"pidfd_open", "dup2", "setpgid", "setrlimit", "socketpair", "flock",
		/* what its child needs and asks to keep, see child.c */
		"open", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
		"renameat2", "link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat",
		"stat", "lstat", "access", "faccessat", "faccessat2", "getdents64", "ftruncate",
		"fallocate", "fsync", "fdatasync", "syncfs", "msync", "utimensat", "chmod",
		"fchmod", "fchmodat", "getcwd", "statfs", "fadvise64", "umask", "copy_file_range",
		"socket", "connect", "bind", "sendmmsg", "recvmmsg", "ioctl", "seccomp", "capset",
		"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", NULL};
	/* not by its path: a checkout may lie in a home that only root can enter */
	static const char exe[] = "/proc/self/exe";
	static char repos[PATH_MAX], trees[PATH_MAX];
	const struct isolation_path allowed[] = {
		{.path = "/"},
		{.path = repos, .write = true},
		{.path = trees, .write = true},
		{.path = exe, .execute = true},
		{.path = INTERPRETER, .execute = true},
	};
	struct role_user user = role_user(ROLE_FETCHER);
	int r;

	r = state_prepare(paths, "repos", user, repos, error);
	if (r == 0)
		r = state_prepare(paths, "trees", user, trees, error);
	if (r < 0)
		return r;
	setup->exe_fd = open(exe, O_PATH | O_CLOEXEC);
	setup->trees_fd = open(trees, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (setup->exe_fd < 0 || setup->trees_fd < 0)
		return error_errno(error, errno, "cannot open %s or our own program", trees);
	r = isolate_user(user, error);
	if (r == 0)
		r = isolate_filesystem(allowed, ARRAY_SIZE(allowed), error);
	if (r == 0)
		r = isolate_syscalls(syscalls, error);
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct service_setup setup = {.exe_fd = -1, .trees_fd = -1};
	struct error error = ERROR_INIT;
	struct paths paths;
	int r = arguments_parse(&arguments, argc, argv);

	if (r >= 0)
		return r;
	if (fcntl(CHANNEL_FD, F_GETFD) < 0) {
		(void)fputs("runbook-fetcher: descriptor 3 is not open; this program is started "
			    "by runbookd\n",
			    stderr);
		return 2;
	}
	r = isolate_fds(CHANNEL_FD, &error);
	log_open("runbook-fetcher"); /* opens a socket: after the others were closed */
	if (r < 0 || paths_init(&paths, arguments.root, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	if (arguments.child)
		return child_run(&paths, &arguments.limits);
	setup.paths = &paths;
	setup.limits = &arguments.limits;
	if (isolate(&paths, &setup, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	return service_run(&setup);
}
