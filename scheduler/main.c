/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-scheduler: the one writer of the store. Started by runbookd only. */
#include "common/cleanup.h"
#include "common/error.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/paths.h"
#include "common/zones.h"
#include "scheduler/scheduler.h"
#include "scheduler/store_backup.h"
#include "scheduler/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What SQLite needs beyond the base set, in its one directory; the last two keep keys in memory. */
static const char *const sqlite_syscalls[] = {
	"openat",  "open",    "fcntl",	    "pwrite64",	    "fsync",	"fdatasync", "ftruncate",
	"unlink",  "stat",    "newfstatat", "lstat",	    "access",	"faccessat", "faccessat2",
	"lseek",   "fchmod",  "geteuid",    "statx",	    "unlinkat", "getcwd",    "readlink",
	"pread64", "fstat",   "fallocate",  "memfd_create", "rename",	"renameat",  "renameat2",
	"mlock",   "munlock", "statfs",	    "fstatfs",	    NULL,
};

static int passport(const char *directory, struct error *error)
{
	struct role_user user = role_user(ROLE_SCHEDULER);
	const struct isolation_path paths[] = {
		{.path = directory, .write = true}, {.path = ZONE_DIRECTORY}, /* of schedules */
	};
	int r;

	r = isolate_user(user, error);
	if (r == 0)
		r = isolate_filesystem(paths, ARRAY_SIZE(paths), error);
	if (r == 0)
		r = isolate_syscalls(sqlite_syscalls, error);
	return r;
}

/*
 * When runbookd was killed, our predecessor may be committing its last turn
 * still. Who loaded the store before that would not know of what it
 * acknowledged: wait. The lock is held until the process ends, so its
 * descriptor is nobody's to close.
 */
static int lock_take(const char *directory, bool wait, struct error *error)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX + 32];
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	do
		r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
	while (r < 0 && errno == EINTR);
	if (r < 0 && !wait && (errno == EAGAIN || errno == EACCES))
		return error_set(error, EBUSY, "runbookd is running: stop it first");
	return r < 0 ? error_errno(error, errno, "cannot lock %s", path) : 0;
}

static int usage_error(const char *sentence)
{
	(void)fprintf(stderr, "runbook-scheduler: %s; see --help\n", sentence);
	return 2;
}

struct arguments {
	const char *root;
	bool restore;
	uint64_t above;
};

/* Return: -1 to go on, an exit status otherwise. */
static int options_parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},	 {"restore", no_argument, NULL, 'R'},
		{"above", required_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},	 {NULL, 0, NULL, 0},
	};
	char *end;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			arguments->root = optarg;
			break;
		case 'R':
			arguments->restore = true;
			break;
		case 'a':
			errno = 0;
			arguments->above = strtoull(optarg, &end, 10);
			if (errno || *end || end == optarg || arguments->above > INT64_MAX)
				return usage_error("--above takes a number");
			break;
		case 'h':
			(void)puts("Usage: runbook-scheduler [--root DIR]\n\n"
				   "Keeps runs and their steps, and says which step starts next.\n"
				   "runbookd starts it, with a channel on descriptor 3.\n\n"
				   "  --root DIR  all paths are beneath DIR ($RUNBOOK_ROOT)\n"
				   "  --restore   standard input, a backup, becomes the database; "
				   "for\n"
				   "              runbookctl restore\n"
				   "  --above N   with it: the next run gets a number above N\n"
				   "  --help      this text\n"
				   "  --version   version");
			return 0;
		case 'v':
			(void)puts("runbook-scheduler " RUNBOOK_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	return optind < argc ? usage_error("it takes no arguments, only options") : -1;
}

static int restore(const char *directory, const char *file, uint64_t above)
{
	struct error error = ERROR_INIT;
	struct store_manifest manifest = {0};
	int r;

	r = passport(directory, &error);
	if (r == 0)
		r = lock_take(directory, false, &error);
	if (r == 0)
		r = store_restore(STDIN_FILENO, file, above, &manifest, &error);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	(void)printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", manifest.version, manifest.schema,
		     manifest.created_usec, manifest.runs);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.root = NULL};
	struct error error = ERROR_INIT;
	char directory[PATH_MAX + 16], file[PATH_MAX + 32];
	struct store *store = NULL;
	struct paths paths;
	struct stat status;
	int r;

	r = options_parse(argc, argv, &arguments);
	if (r >= 0)
		return r;
	if (!arguments.restore && (fstat(CHANNEL_FD, &status) < 0 || !S_ISSOCK(status.st_mode)))
		return usage_error("it is started by runbookd, with a channel on descriptor 3");
	r = isolate_fds(arguments.restore ? STDERR_FILENO : CHANNEL_FD, &error);
	log_open("runbook-scheduler"); /* opens a socket: after the others were closed */
	if (r == 0)
		r = paths_init(&paths, arguments.root, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return 1;
	}
	(void)snprintf(directory, sizeof(directory), "%s/scheduler", paths.lib);
	(void)snprintf(file, sizeof(file), "%s/runbookd.db", directory);
	(void)umask(0077);
	store_boot_look();
	if (arguments.restore)
		return restore(directory, file, arguments.above);
	r = passport(directory, &error);
	if (r == 0)
		r = lock_take(directory, true, &error);
	if (r == 0)
		r = store_open(file, &store, &error);
	if (r < 0)
		log_error("%s", error.text);
	/* that will not be better at the next try */
	if (r == -EUCLEAN || r == -EPROTO)
		return scheduler_refuse(CHANNEL_FD, error.text);
	return r < 0 ? 1 : scheduler_serve(CHANNEL_FD, store);
}
