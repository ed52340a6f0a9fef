/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl backup, restore: copy a running instance's database; replace a stopped one's. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/process_spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- backup ---- */

/* The name of the backup; in a directory it is made from the present time. */
static int backup_name(const char *given, char out[PATH_MAX], struct error *error)
{
	struct stat st;
	char stamp[32];
	time_t now = time(NULL);
	struct tm utc;
	int length;

	if (stat(given, &st) == 0 && S_ISDIR(st.st_mode)) {
		(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
		length = snprintf(out, PATH_MAX, "%s/runbookd-%s.db", given, stamp);
	} else if (stat(given, &st) == 0 && !S_ISREG(st.st_mode)) {
		return error_set(error, EINVAL, "%s is neither a file nor a directory", given);
	} else {
		length = snprintf(out, PATH_MAX, "%s", given);
	}
	return length >= PATH_MAX ? error_errno(error, ENAMETOOLONG, "%s", given) : 0;
}

static int parent_sync(const char *file)
{
	char directory[PATH_MAX];
	char *slash;
	cleanup_close int fd = -1;

	(void)snprintf(directory, sizeof(directory), "%s", file);
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Download the backup: @file is complete and synced, or unchanged. */
static enum cli_exit backup_fetch(struct cli *cli, const char *file, uint64_t *ret_size,
				  struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {
		.method = "POST", .path = "/api/v1/backup", .to_file = true};
	cleanup_close int fd = -1;
	char temporary[PATH_MAX + 16];
	enum cli_exit code;

	(void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", file);
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600: it has names, refs and reasons */
	if (fd < 0) {
		(void)error_errno(error, errno, "cannot create %s", temporary);
		return CLI_REFUSED;
	}
	request.output_fd = fd;
	code = client_call(cli->client, &request, &answer, error);
	*ret_size = answer.written;
	if (code == CLI_OK &&
	    (fsync(fd) < 0 || rename(temporary, file) < 0 || parent_sync(file) < 0)) {
		(void)error_errno(error, errno, "cannot write %s", file);
		code = CLI_REFUSED;
	}
	if (code != CLI_OK)
		(void)unlink(temporary);
	return code;
}

static int run_backup(struct cli *cli, const struct cli_arguments *arguments)
{
	struct error error = ERROR_INIT;
	char file[PATH_MAX], text[32];
	uint64_t size = 0;
	enum cli_exit code;

	if (backup_name(arguments->list[0], file, &error) < 0)
		return cli_fail(CLI_REFUSED, &error);
	code = backup_fetch(cli, file, &size, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		cleanup_json json_t *result =
			json_pack("{s:s, s:I}", "file", file, "size", (json_int_t)size);

		json_print(result);
	} else {
		format_bytes(text, sizeof(text), size);
		(void)printf("%s: %s, checked\n", file, text);
	}
	return CLI_OK;
}

/* ---- restore ---- */

static int find_scheduler(char out[PATH_MAX], struct error *error)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length > 0) {
		self[length] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		if (snprintf(out, PATH_MAX, "%s/runbook-scheduler", self) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return 0;
	}
	(void)snprintf(out, PATH_MAX, "%s/runbook-scheduler", RUNBOOK_LIBEXECDIR);
	if (access(out, X_OK) == 0)
		return 0;
	return error_set(error, ENOENT, "runbook-scheduler is not installed: install runbookd");
}

/* Take the lock that a running runbookd holds. Return: a descriptor or -errno. */
static int lock_instance(const struct paths *paths, struct error *error)
{
	cleanup_close int fd = -1;
	char path[PATH_MAX + 32];
	int r = make_directories(AT_FDCWD, paths->run, 0755);

	if (r < 0)
		return error_errno(error, -r, "cannot make %s", paths->run);
	(void)snprintf(path, sizeof(path), "%s/runbookd.lock", paths->run);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(error, EBUSY,
					   "runbookd is running: stop it first (\"systemctl stop "
					   "runbookd\"), then repeat this")
			       : error_errno(error, errno, "cannot lock %s", path);
	return TAKE_FD(fd);
}

/* Make the scheduler's state directory, which a new host does not have. */
static int make_home(const struct paths *paths, struct error *error)
{
	struct role_user user = role_user(ROLE_SCHEDULER);
	char path[PATH_MAX + 16];
	int r = make_directories(AT_FDCWD, paths->lib, 0755);

	if (r < 0)
		return error_errno(error, -r, "cannot make %s", paths->lib);
	(void)snprintf(path, sizeof(path), "%s/scheduler", paths->lib);
	if (mkdir(path, 0700) == 0)
		r = chown(path, user.uid, user.gid) < 0 ? -errno : 0;
	else
		r = errno == EEXIST ? 0 : -errno;
	return r < 0 ? error_errno(error, -r, "cannot make %s", path) : 0;
}

static uint64_t largest_number(const char *directory)
{
	cleanup_closedir DIR *runs = opendir(directory);
	uint64_t largest = 0;
	const struct dirent *entry;

	while (runs && (entry = readdir(runs))) {
		char *end;
		uint64_t number = strtoull(entry->d_name, &end, 10);

		if (*end == '\0' && end != entry->d_name && number < INT64_MAX && number > largest)
			largest = number;
	}
	return largest;
}

/* The largest number of a run with logs. It may be newer than the backup; no run may reuse it. */
static uint64_t last_run(const struct paths *paths)
{
	cleanup_closedir DIR *projects = opendir(paths->log);
	uint64_t largest = 0;
	const struct dirent *entry;

	while (projects && (entry = readdir(projects))) {
		char path[PATH_MAX + 300];
		uint64_t number;

		(void)snprintf(path, sizeof(path), "%s/%s", paths->log, entry->d_name);
		number = entry->d_name[0] == '.' ? 0 : largest_number(path);
		if (number > largest)
			largest = number;
	}
	return largest;
}

/* Run runbook-scheduler --restore. Return: its exit status, with its output in @text, or -errno. */
static int scheduler_restore(const struct paths *paths, const char *program, int backup_fd,
			     char *text, size_t size)
{
	char above[24];
	const char *argv[] = {"runbook-scheduler", "--restore", "--above", above, NULL, NULL, NULL};
	struct process_request request = {.argv = (char **)argv, .envp = environ, .n_fds = 3};
	ssize_t got;
	int output[2], status = 0, r;
	pid_t pid;

	(void)snprintf(above, sizeof(above), "%" PRIu64, last_run(paths));
	if (paths->root[0]) {
		argv[4] = "--root";
		argv[5] = paths->root;
	}
	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	request.fds = (struct process_fd[]){
		{backup_fd, STDIN_FILENO}, {output[1], STDOUT_FILENO}, {output[1], STDERR_FILENO}};
	r = process_spawn(program, &request, &pid);
	(void)close(output[1]);
	got = r == 0 ? fd_read_all(output[0], text, size - 1) : 0;
	(void)close(output[0]);
	if (r < 0)
		return r;
	text[got < 0 ? 0 : got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* @text: the output of runbook-scheduler --restore */
static int restore_print(const struct cli *cli, const char *text)
{
	char version[64] = "", age[32];
	uint64_t schema = 0, created = 0, runs = 0;

	(void)sscanf(text, "%63s %" SCNu64 " %" SCNu64 " %" SCNu64, version, &schema, &created,
		     &runs);
	if (cli->json) {
		cleanup_json json_t *result = json_pack(
			"{s:s, s:I, s:I, s:I}", "version", version, "schema", (json_int_t)schema,
			"created_usec", (json_int_t)created, "runs", (json_int_t)runs);

		json_print(result);
		return CLI_OK;
	}
	format_age(age, sizeof(age), wall_usec(), created);
	(void)printf("restored %" PRIu64 " runs, from a backup of %s (runbookd %s).\n"
		     "The old database is kept as %s/scheduler/runbookd.db.replaced-*\n",
		     runs, age, version, cli->paths.lib);
	return CLI_OK;
}

static int run_restore(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_close int backup_fd = open(arguments->list[0], O_RDONLY | O_CLOEXEC);
	cleanup_close int lock_fd = -1;
	char program[PATH_MAX], text[ERROR_TEXT_MAX] = "";
	struct error error = ERROR_INIT;
	int status;

	if (backup_fd < 0) {
		(void)error_errno(&error, errno, "cannot open %s", arguments->list[0]);
		return cli_fail(error.number == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, &error);
	}
	if (geteuid() != 0) {
		(void)error_set(&error, EPERM, "only root can restore: use sudo");
		return cli_fail(CLI_REFUSED, &error);
	}
	lock_fd = lock_instance(&cli->paths, &error);
	if (lock_fd < 0 || find_scheduler(program, &error) < 0 ||
	    make_home(&cli->paths, &error) < 0)
		return cli_fail(CLI_REFUSED, &error);
	status = scheduler_restore(&cli->paths, program, backup_fd, text, sizeof(text));
	if (status == 0)
		return restore_print(cli, text);
	if (status < 0)
		(void)error_errno(&error, -status, "%s", program);
	else
		(void)error_set(&error, EIO, "%s: %s; nothing was changed", arguments->list[0],
				text[0] ? text : "runbook-scheduler reported no reason");
	return cli_fail(CLI_REFUSED, &error);
}

const struct cli_command cmd_backup = {
	.name = "backup",
	.arguments = "FILE|DIRECTORY",
	.n_min = 1,
	.n_max = 1,
	.summary = "write the database of the running daemon into a file",
	.description = "Runs go on meanwhile. The copy is consistent, checked, and on the disk "
		       "when this command ends.\nIn a DIRECTORY its name has the time. It contains "
		       "runs, deliveries, events and secrets\n(encrypted; the key is not in it), "
		       "but no logs, artifacts, images or configuration.",
	.handler = run_backup,
};

const struct cli_command cmd_restore = {
	.name = "restore",
	.arguments = "FILE",
	.n_min = 1,
	.n_max = 1,
	.summary = "replace the database by a backup; runbookd must be stopped",
	.description = "FILE is checked first. The old database is kept in the same directory. "
		       "Steps that were running\nwhen the backup was made are \"errored: host "
		       "lost\" after the next start.",
	.handler = run_restore,
};
