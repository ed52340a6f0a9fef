/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbook-scheduler: the only program that writes the store. runbookd starts it, with its channel
 * on descriptor 3. Without a usable store it serves scheduler_refuse().
 */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/program.h"
#include "common/zones.h"
#include "scheduler/peers/serve.h"
#include "scheduler/store/store_backup.h"
#include "scheduler/store/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define DIRECTORY "/scheduler" /* beneath paths.lib */

static bool restores;
static uint64_t above;

static const struct program_option options[] = {
	{.name = "restore",
	 .help = "make a backup on standard input the database; for runbookctl restore",
	 .flag = &restores},
	{.name = "above",
	 .value = "N",
	 .help = "with --restore: the next run gets a number above N",
	 .number = &above,
	 .max = INT64_MAX},
};

/* ---- lock-down ---- */

/*
 * System calls of SQLite beyond the base set, for its one directory; the last two keep keys in
 * memory.
 */
static const char *const sqlite_syscalls[] = {
	"openat",  "open",    "fcntl",	    "pwrite64",	    "fsync",	"fdatasync", "ftruncate",
	"unlink",  "stat",    "newfstatat", "lstat",	    "access",	"faccessat", "faccessat2",
	"lseek",   "fchmod",  "geteuid",    "statx",	    "unlinkat", "getcwd",    "readlink",
	"pread64", "fstat",   "fallocate",  "memfd_create", "rename",	"renameat",  "renameat2",
	"mlock",   "munlock", "statfs",	    "fstatfs",	    NULL,
};

static const struct lock_down_path reached[] = {
	{.place = PLACE_LIB, .path = DIRECTORY, .write = true, .mode = 0700},
	{.place = PLACE_HOST, .path = ZONE_DIRECTORY}, /* zones of schedules */
};

static const struct lock_down scheduler_lock_down = {
	.role = ROLE_SCHEDULER,
	.paths = reached,
	.n_paths = ARRAY_SIZE(reached),
	.syscalls = sqlite_syscalls,
};

static int prepare(struct process *process, struct error *error)
{
	store_boot_look();
	return 0;
}

/* ---- the store ---- */

/*
 * When runbookd was killed, the previous scheduler may still be committing its last turn. Loading
 * the store before that commit would miss what it acknowledged, so wait for its lock. The lock is
 * held until the process ends: its descriptor is never closed.
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

struct store_place {
	char directory[PATH_MAX + 16], file[PATH_MAX + 32];
};

static void store_place_init(struct store_place *place, const struct paths *paths)
{
	(void)snprintf(place->directory, sizeof(place->directory), "%s" DIRECTORY, paths->lib);
	(void)snprintf(place->file, sizeof(place->file), "%s/runbookd.db", place->directory);
}

static int restore(struct process *process)
{
	struct error error = ERROR_INIT;
	struct store_manifest manifest = {0};
	struct store_place place;
	int r;

	store_place_init(&place, &process->paths);
	r = lock_take(place.directory, false, &error);
	if (r == 0)
		r = store_restore(STDIN_FILENO, place.file, above, &manifest, &error);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	(void)printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", manifest.version, manifest.schema,
		     manifest.created_usec, manifest.runs);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int serve(struct process *process)
{
	struct error error = ERROR_INIT;
	struct store *store = NULL;
	struct store_place place;
	int r;

	store_place_init(&place, &process->paths);
	r = lock_take(place.directory, true, &error);
	if (r == 0)
		r = store_open(place.file, &store, &error);
	if (r < 0)
		log_error("%s", error.text);
	/* errors that another try would not solve */
	if (r == -EUCLEAN || r == -EPROTO)
		return scheduler_refuse(CHANNEL_FD, error.text);
	return r < 0 ? 1 : scheduler_serve(CHANNEL_FD, store);
}

static const struct program scheduler_program = {
	.name = "runbook-scheduler",
	.purpose = "Keeps runs and their steps, and decides which step starts next.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.lock_down = &scheduler_lock_down,
	.prepare = prepare,
	.run = serve,
};

static const struct program restore_program = {
	.name = "runbook-scheduler",
	.lock_down = &scheduler_lock_down,
	.prepare = prepare,
	.run = restore,
	.no_channel = true,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &scheduler_program};
	int code = program_options_parse(&process, argc, argv);

	if (code >= 0)
		return code;
	if (restores)
		process.program = &restore_program;
	return program_run(&process);
}
