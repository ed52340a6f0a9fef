/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include "cli/project_file.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define READY_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS 30000
#define LOG_SHOWN_MAX 700
#define SWEEP_AGE_SEC 120
#define ROOT_PREFIX "runbookctl-"

static const char embedded_conf[] = "[Daemon]\nLimits=best-effort\n"
				    "[Webhook]\nListen=none\n"
				    "[Api]\nListen=none\n"
				    "[Images]\nDirectory=";

/* Find runbookd in the directory of our own executable (a checkout), or where it is installed. */
static int find_daemon(char out[PATH_MAX], struct error *error)
{
	static const char *const places[] = {"/usr/sbin", "/usr/local/sbin", RUNBOOK_LIBEXECDIR};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length > 0) {
		self[length] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		if ((size_t)snprintf(out, PATH_MAX, "%s/runbookd", self) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return 0;
		/* PREFIX/bin/runbookctl, PREFIX/sbin/runbookd */
		if ((size_t)snprintf(out, PATH_MAX, "%s/../sbin/runbookd", self) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		(void)snprintf(out, PATH_MAX, "%s/runbookd", places[i]);
		if (access(out, X_OK) == 0)
			return 0;
	}
	return error_set(error, ENOENT,
			 "runbookd is not installed beside runbookctl (install it, or "
			 "build it with \"make\")");
}

/*
 * Remove @name if a killed runbookctl left it behind: it belongs to us (root), is not
 * locked, and is so old that its runbookd has exited as well.
 */
static void sweep_one(int dir_fd, const char *name)
{
	cleanup_close int root_fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int lock_fd = -1;
	struct stat st;

	if (root_fd < 0 || fstat(root_fd, &st) < 0 || st.st_uid != geteuid() ||
	    time(NULL) - st.st_mtime < SWEEP_AGE_SEC)
		return;
	lock_fd = openat(root_fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
		(void)remove_tree(dir_fd, name);
}

static void sweep(const char *temporary)
{
	cleanup_closedir DIR *directory = opendir(temporary);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strncmp(entry->d_name, ROOT_PREFIX, strlen(ROOT_PREFIX)) == 0)
			sweep_one(dirfd(directory), entry->d_name);
}

static int write_file(const char *root, const char *name, const char *data, struct error *error)
{
	cleanup_close int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 ? -errno : file_replace(fd, name, data, strlen(data), 0600);

	return result < 0 ? error_errno(error, -result, "cannot write %s/%s", root, name) : 0;
}

/*
 * Make the directory. Its mode lets other users through, because the unprivileged
 * processes of runbookd have their state in it, but only root can list it. All files in
 * it have narrower modes.
 */
static int make_root(const struct embedded_options *options, struct embedded *embedded,
		     struct error *error)
{
	cleanup_text struct text_buffer project = {0}, config = {0};
	const char *temporary = getenv("TMPDIR");
	char etc[PATH_MAX + 16];
	int result;

	if (!temporary || *temporary != '/')
		temporary = "/tmp";
	if (strlen(temporary) + sizeof("/" ROOT_PREFIX "XXXXXX") > sizeof(embedded->root))
		temporary = "/tmp";
	sweep(temporary);
	(void)snprintf(embedded->root, sizeof(embedded->root), "%s/" ROOT_PREFIX "XXXXXX",
		       temporary);
	if (!mkdtemp(embedded->root)) {
		embedded->root[0] = '\0';
		return error_errno(error, errno, "cannot make a directory in %s", temporary);
	}
	if (chmod(embedded->root, 0711) < 0)
		return error_errno(error, errno, "chmod %s", embedded->root);
	(void)snprintf(etc, sizeof(etc), "%s/lock", embedded->root);
	embedded->lock_fd = open(etc, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (embedded->lock_fd < 0 || flock(embedded->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(error, errno, "cannot lock %s", etc);
	(void)snprintf(etc, sizeof(etc), "%s/etc/runbookd", embedded->root);
	result = make_directories(AT_FDCWD, etc, 0755);
	if (result < 0)
		return error_errno(error, -result, "cannot make %s", etc);
	text_printf(&config, "%s%s/images\n", embedded_conf, options->images);
	if (config.failed)
		return error_set(error, ENOMEM, "out of memory");
	if (write_file(etc, "runbookd.conf", config.data, error) < 0)
		return -error->number;
	if (!options->directory)
		return 0;
	if (options->runbook_text &&
	    write_file(embedded->root, "runbook.yml", options->runbook_text, error) < 0)
		return -error->number;
	text_puts(&project, "[Project]\n");
	if (project_file_key(&project, "Workspace", options->directory, error) < 0)
		return -error->number;
	return project_file_write(etc, options->project, &project, error);
}

/* Make a socket to which runbookd sends READY=1, as in sd_notify(3). Return: fd or -errno. */
static int open_notify(const struct embedded *embedded, struct sockaddr_un *ret_address,
		       struct error *error)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/notify",
		       embedded->root);
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, sizeof(*ret_address)) < 0) {
		int number = errno;

		if (fd >= 0)
			(void)close(fd);
		return error_errno(error, number, "cannot bind %s", ret_address->sun_path);
	}
	return fd;
}

/* Runs in the child until exec. Its exit code and log report a failure. */
static void daemon_child(const struct embedded_options *options, const struct embedded *embedded,
			 const char *program, const char *notify, int log_fd, pid_t parent)
{
	char own[PATH_MAX + 16], target[PATH_MAX + 16];
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* leave the terminal's foreground group: runbookctl handles Ctrl-C */
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0)
		_exit(1);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
		(void)dprintf(STDERR_FILENO, "cannot make a mount namespace: %s\n",
			      strerror(errno));
		_exit(1);
	}
	(void)snprintf(own, sizeof(own), "%s/runbook.yml", embedded->root);
	(void)snprintf(target, sizeof(target), "%s/runbook.yml",
		       options->directory ? options->directory : "");
	if (options->runbook_text && mount(own, target, NULL, MS_BIND, NULL) < 0) {
		(void)dprintf(STDERR_FILENO, "cannot lay the effective runbook over %s: %s\n",
			      target, strerror(errno));
		_exit(1);
	}
	(void)unsetenv("RUNBOOK_ROOT");
	(void)setenv("NOTIFY_SOCKET", notify, 1);
	(void)setenv("RUNBOOK_LOG_TARGET", "stderr", 1);
	(void)execl(program, "runbookd", "--root", embedded->root, (char *)NULL);
	(void)dprintf(STDERR_FILENO, "cannot execute %s: %s\n", program, strerror(errno));
	_exit(1);
}

void embedded_log_tail(const struct embedded *embedded, char *out, size_t size)
{
	char path[PATH_MAX + 16];
	cleanup_close int fd = -1;
	struct stat st;
	ssize_t got;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/runbookd.log", embedded->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if ((size_t)st.st_size >= size)
		(void)lseek(fd, st.st_size - (off_t)size + 1, SEEK_SET);
	got = fd_read_all(fd, out, size - 1);
	out[got > 0 ? got : 0] = '\0';
	while (got > 0 && out[got - 1] == '\n')
		out[--got] = '\0';
}

/*
 * Wait until runbookd is ready, has exited, or a signal is pending. Return: 0 or -errno with
 * @error, which has the end of runbookd's log.
 */
static int wait_ready(struct embedded *embedded, int notify_fd, struct error *error)
{
	char tail[LOG_SHOWN_MAX], message[256];
	sigset_t signals;
	cleanup_close int pidfd = pidfd_open(embedded->pid, 0), signal_fd = -1;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	for (;;) {
		struct pollfd fds[] = {{.fd = notify_fd, .events = POLLIN},
				       {.fd = pidfd, .events = POLLIN},
				       {.fd = signal_fd, .events = POLLIN}};
		int result = poll(fds, ARRAY_SIZE(fds), READY_TIMEOUT_MS);
		ssize_t got;

		if (result < 0 && errno == EINTR)
			continue;
		if (result < 0)
			return error_errno(error, errno, "poll");
		if (fds[2].revents)
			return error_set(error, EINTR, "interrupted");
		got = fds[0].revents ? recv(notify_fd, message, sizeof(message) - 1, 0) : 0;
		if (got > 0) {
			message[got] = '\0';
			if (strstr(message, "READY=1"))
				return 0;
			continue;
		}
		embedded_log_tail(embedded, tail, sizeof(tail));
		return error_set(error, EPIPE, "runbookd %s%s%s",
				 result == 0 ? "was not ready within 30 s" : "could not start",
				 *tail ? ":\n" : "", tail);
	}
}

int embedded_start(const struct embedded_options *options, struct embedded *ret_embedded,
		   struct error *error)
{
	struct embedded embedded = {.lock_fd = -1};
	struct sockaddr_un address;
	char program[PATH_MAX], log_path[PATH_MAX + 16];
	cleanup_close int notify_fd = -1, log_fd = -1;
	pid_t parent = getpid();
	int result;

	if (find_daemon(program, error) < 0)
		return -error->number;
	result = make_root(options, &embedded, error);
	if (result < 0)
		goto fail;
	notify_fd = open_notify(&embedded, &address, error);
	if (notify_fd < 0) {
		result = notify_fd;
		goto fail;
	}
	(void)snprintf(log_path, sizeof(log_path), "%s/runbookd.log", embedded.root);
	log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0) {
		result = error_errno(error, errno, "cannot write %s", log_path);
		goto fail;
	}
	embedded.pid = fork();
	if (embedded.pid == 0)
		daemon_child(options, &embedded, program, address.sun_path, log_fd, parent);
	if (embedded.pid < 0) {
		embedded.pid = 0;
		result = error_errno(error, errno, "fork");
		goto fail;
	}
	result = wait_ready(&embedded, notify_fd, error);
	if (result < 0)
		goto fail;
	*ret_embedded = embedded;
	return 0;
fail:
	(void)embedded_stop(&embedded, NULL);
	return result;
}

static void stop_daemon(pid_t pid)
{
	cleanup_close int pidfd = pidfd_open(pid, 0);
	struct pollfd fds = {.fd = pidfd, .events = POLLIN};

	(void)kill(pid, SIGTERM);
	if (pidfd < 0 || poll(&fds, 1, STOP_TIMEOUT_MS) <= 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int embedded_stop(struct embedded *embedded, struct error *error)
{
	int result = 0;

	if (embedded->pid > 0)
		stop_daemon(embedded->pid);
	embedded->pid = 0;
	if (embedded->lock_fd >= 0)
		(void)close(embedded->lock_fd);
	embedded->lock_fd = -1;
	if (embedded->root[0])
		result = remove_tree(AT_FDCWD, embedded->root);
	if (result < 0)
		return error_errno(error, -result, "cannot remove %s", embedded->root);
	embedded->root[0] = '\0';
	return 0;
}
