/* SPDX-License-Identifier: Apache-2.0 */
#include "images/skopeo.h"

#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/names.h"
#include "images/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define AUTH_FD 3 /* in the new process */
#define POLICY_FILE "/etc/containers/policy.json"
#define FILES_MAX 1024
#define ARGUMENTS_MAX 16
#define ENVIRONMENT_MAX 16

static const char *const places[] = {"/usr/bin/skopeo", "/usr/local/bin/skopeo"};

/* The variables of our environment that skopeo gets: they decide how it connects. */
static const char *const kept[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE",
				   "SSL_CERT_DIR"};

const char *skopeo_find(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (access(places[i], X_OK) == 0)
			return places[i];
	}
	return NULL;
}

/** struct command_line - all that the new process needs, since it cannot allocate after fork() */
struct command_line {
	const char *program;
	char *argv[ARGUMENTS_MAX];
	char *envp[ENVIRONMENT_MAX];
	char source[PATH_MAX + 64];
	char target[PATH_MAX + 64];
	char blobs[PATH_MAX + 64];
	char tmpdir[PATH_MAX + 16];
	char auth[64];
	char home[PATH_MAX + 16], temporary[PATH_MAX + 16], runtime[PATH_MAX + 32];
	char proxies[ARRAY_SIZE(kept)][512];
};

static void command_environment(struct command_line *line, const struct skopeo_job *job)
{
	size_t n = 0;

	(void)snprintf(line->home, sizeof(line->home), "HOME=%s", job->directory);
	(void)snprintf(line->temporary, sizeof(line->temporary), "TMPDIR=%s", job->directory);
	(void)snprintf(line->runtime, sizeof(line->runtime), "XDG_RUNTIME_DIR=%s", job->directory);
	line->envp[n++] = line->home;
	line->envp[n++] = line->temporary;
	line->envp[n++] = line->runtime;
	line->envp[n++] = (char *)"PATH=/usr/bin:/bin";
	line->envp[n++] = (char *)"LANG=C.UTF-8";
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *value = getenv(kept[i]);

		if (!value || strlen(value) > 480)
			continue;
		(void)snprintf(line->proxies[i], sizeof(line->proxies[i]), "%s=%s", kept[i], value);
		line->envp[n++] = line->proxies[i];
	}
	line->envp[n] = NULL;
}

static void command_make(struct command_line *line, const struct skopeo_job *job)
{
	size_t n = 0;

	const char *tag = strchr(job->source, ':');

	if (job->upload_fd >= 0)
		(void)snprintf(line->source, sizeof(line->source), "%.*s:%s/upload%s",
			       (int)(tag ? tag - job->source : PATH_MAX), job->source,
			       job->directory, tag ? tag : "");
	else
		(void)snprintf(line->source, sizeof(line->source), "%s", job->source);
	(void)snprintf(line->target, sizeof(line->target), "oci:%s/layout:image", job->directory);
	(void)snprintf(line->blobs, sizeof(line->blobs), "--dest-shared-blob-dir=%s", job->blobs);
	(void)snprintf(line->tmpdir, sizeof(line->tmpdir), "--tmpdir=%s", job->directory);
	line->argv[n++] = (char *)"skopeo";
	line->argv[n++] = (char *)"--override-os=linux";
	line->argv[n++] = (char *)"--override-arch=amd64";
	line->argv[n++] = line->tmpdir;
	if (access(POLICY_FILE, R_OK) < 0) /* without a policy file, any image is accepted */
		line->argv[n++] = (char *)"--insecure-policy";
	line->argv[n++] = (char *)"copy";
	line->argv[n++] = (char *)"--remove-signatures";
	line->argv[n++] = line->blobs;
	if (job->insecure)
		line->argv[n++] = (char *)"--src-tls-verify=false";
	if (job->auth_fd >= 0) {
		(void)snprintf(line->auth, sizeof(line->auth), "--src-authfile=/proc/self/fd/%d",
			       AUTH_FD);
		line->argv[n++] = line->auth;
	} else if (job->upload_fd < 0) {
		line->argv[n++] = (char *)"--src-no-creds";
	}
	line->argv[n++] = line->source;
	line->argv[n++] = line->target;
	line->argv[n] = NULL;
	command_environment(line, job);
}

/* ---- in the new process: between fork and exec, nothing allocates ---- */

static void limit_set(int resource, uint64_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		_exit(125);
}

static void copy_upload(const struct skopeo_job *job)
{
	int out =
		openat(job->directory_fd, "upload", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t from = 0;
	ssize_t n;

	if (out < 0)
		_exit(124);
	/* within one file system this may share blocks instead of copying them */
	while ((n = copy_file_range(job->upload_fd, &from, out, NULL, 64 * MIB, 0)) > 0)
		;
	if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EPERM)) {
		char block[64 * KIB];

		while ((n = pread(job->upload_fd, block, sizeof(block), from)) > 0) {
			if (write(out, block, (size_t)n) != n)
				_exit(124);
			from += n;
		}
	}
	if (n < 0 || close(out) < 0)
		_exit(124);
}

static void skopeo_exec(const void *user)
{
	const struct command_line *line = user;

	(void)execve(line->program, line->argv, line->envp);
	_exit(127);
}

/*
 * In the new process, which becomes the guard.
  * Should: lead its own process group, limit files, copy the upload, leave output and credentials.
 * Mustn't: allocate or log.
 */
static _Noreturn void child_start(const struct command_line *line, const struct skopeo_job *job,
				  int output_fd, pid_t service)
{
	const struct guard guard = {.listed = job->listed};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int auth_fd = job->auth_fd;
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != service)
		_exit(125);
	limit_set(RLIMIT_FSIZE, IMAGE_BLOB_MAX);
	limit_set(RLIMIT_NOFILE, FILES_MAX);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (job->upload_fd >= 0)
		copy_upload(job);
	if (dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
		_exit(125);
	if (auth_fd >= 0 &&
	    (auth_fd == AUTH_FD ? fcntl(auth_fd, F_SETFD, 0) : dup2(auth_fd, AUTH_FD)) < 0)
		_exit(125);
	if (fchdir(job->directory_fd) < 0)
		_exit(125);
	guard_run(&guard, skopeo_exec, line);
}

/* ---- in the service ---- */

static void output_take(struct skopeo *skopeo, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n' && data[i] != '\r') {
			if (skopeo->n_partial + 1 < sizeof(skopeo->partial))
				skopeo->partial[skopeo->n_partial++] = data[i];
			continue;
		}
		skopeo->partial[skopeo->n_partial] = '\0';
		if (skopeo->n_partial > 0)
			text_escape(skopeo->line, sizeof(skopeo->line), skopeo->partial);
		skopeo->n_partial = 0;
	}
}

static void on_output(struct loop_file *file, uint32_t events)
{
	struct skopeo *skopeo = container_of(file, struct skopeo, output_file);
	char block[4096];
	ssize_t n = read(skopeo->output_fd, block, sizeof(block));

	if (n > 0)
		output_take(skopeo, block, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		loop_remove(file);
}

static void release(struct skopeo *skopeo)
{
	loop_timer_cancel(&skopeo->deadline);
	loop_remove(&skopeo->output_file);
	loop_remove(&skopeo->exit_file);
	(void)kill(-skopeo->pid, SIGKILL); /* the guard, skopeo and all processes of theirs */
	while (waitpid(skopeo->pid, &skopeo->status, 0) < 0 && errno == EINTR)
		;
	(void)close(skopeo->pid_fd);
	(void)close(skopeo->output_fd);
	skopeo->pid_fd = skopeo->output_fd = -1;
	skopeo->pid = 0;
}

static void on_exit_event(struct loop_file *file, uint32_t events)
{
	struct skopeo *skopeo = container_of(file, struct skopeo, exit_file);
	char block[4096];
	ssize_t n;

	/* its last lines may still be unread in the pipe */
	while ((n = read(skopeo->output_fd, block, sizeof(block))) > 0)
		output_take(skopeo, block, (size_t)n);
	output_take(skopeo, "\n", 1);
	release(skopeo);
	skopeo->done(skopeo);
}

static void on_deadline(struct loop_timer *timer)
{
	struct skopeo *skopeo = container_of(timer, struct skopeo, deadline);

	skopeo->late = true;
	(void)kill(-skopeo->pid, SIGKILL);
}

int skopeo_start(struct skopeo *skopeo, struct loop *loop, const struct skopeo_job *job,
		 void (*done)(struct skopeo *skopeo), struct error *error)
{
	cleanup_free struct command_line *line = calloc(1, sizeof(*line));
	pid_t self = getpid();
	int pair[2], r;

	*skopeo = SKOPEO_NULL;
	skopeo->loop = loop;
	skopeo->done = done;
	if (!line)
		return error_set(error, ENOMEM, "out of memory");
	line->program = skopeo_find();
	if (!line->program)
		/* cppcheck-suppress memleak ; cleanup frees it */
		return error_set(error, ENOENT,
				 "skopeo is not installed, which fetches images: install the "
				 "package \"skopeo\", or use \"runbookctl image import\"");
	command_make(line, job);
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(error, errno, "cannot make a pipe");
	(void)fcntl(pair[1], F_SETFL,
		    0); /* skopeo writes in the mode that the pipe has: blocking */
	skopeo->pid = fork();
	if (skopeo->pid == 0)
		child_start(line, job, pair[1], self);
	(void)close(pair[1]);
	skopeo->output_fd = pair[0];
	if (skopeo->pid < 0) {
		skopeo->pid = 0;
		(void)close(TAKE_FD(skopeo->output_fd));
		return error_errno(error, errno, "cannot start skopeo");
	}
	skopeo->pid_fd = (int)syscall(SYS_pidfd_open, skopeo->pid, 0);
	r = skopeo->pid_fd < 0
		    ? -errno
		    : loop_add(loop, &skopeo->exit_file, skopeo->pid_fd, EPOLLIN, on_exit_event);
	if (r == 0)
		r = loop_add(loop, &skopeo->output_file, skopeo->output_fd, EPOLLIN, on_output);
	if (r == 0)
		r = loop_timer_set(loop, &skopeo->deadline,
				   now_usec() + IMAGE_PULL_TIMEOUT_SEC * USEC_PER_SEC, on_deadline);
	if (r < 0) {
		skopeo_stop(skopeo);
		return error_errno(error, -r, "cannot watch skopeo");
	}
	return 0;
}

void skopeo_stop(struct skopeo *skopeo)
{
	if (skopeo->pid > 0)
		release(skopeo);
}

/* Frequent errors of registries, and the fix for each. */
static const struct {
	const char *sign, *help;
} hints[] = {
	{"authentication required",
	 "put credentials for it into the file that AuthFile= in [Images] names"},
	{"unauthorized", "put credentials for it into the file that AuthFile= in [Images] names"},
	{"requested access to the resource is denied",
	 "there is no such image, or AuthFile= in [Images] needs credentials for it"},
	{"server gave HTTP response to HTTPS client",
	 "if it is to be trusted without TLS, name it in Insecure= in [Images]"},
	{"certificate signed by unknown authority",
	 "install the registry's authority on this host, or name it in Insecure= in [Images]"},
	{"manifest unknown", "check name and tag"},
	{"private address", "list it there if pulls may reach it"},
};

bool skopeo_describe(const struct skopeo *skopeo, char *out, size_t size)
{
	const char *text = strstr(skopeo->line, "msg=\"");
	const char *help = NULL;
	size_t length;

	if (skopeo->late) {
		(void)snprintf(out, size, "the pull took longer than %d s and was stopped",
			       IMAGE_PULL_TIMEOUT_SEC);
		return false;
	}
	if (WIFEXITED(skopeo->status) && WEXITSTATUS(skopeo->status) == 124) {
		(void)snprintf(out, size, "the upload cannot be stored: is the disk full?");
		return true;
	}
	if (WIFEXITED(skopeo->status) && WEXITSTATUS(skopeo->status) == GUARD_FAILED) {
		(void)snprintf(out, size,
			       "the connections of skopeo cannot be watched on this host (seccomp "
			       "notification and kernel.yama.ptrace_scope of at most 1 are "
			       "needed): use \"runbookctl image import\"");
		return false;
	}
	if (WIFSIGNALED(skopeo->status)) {
		(void)snprintf(out, size, "skopeo was killed by signal %d",
			       WTERMSIG(skopeo->status));
		return true;
	}
	text = text ? text + 5 : skopeo->line;
	length = strlen(text);
	if (text != skopeo->line && length > 0 && text[length - 1] == '"')
		length--;
	for (size_t i = 0; i < ARRAY_SIZE(hints) && !help; i++) {
		if (strstr(text, hints[i].sign))
			help = hints[i].help;
	}
	(void)snprintf(out, size, "%.*s%s%s", (int)(length > 400 ? 400 : length),
		       length ? text : "skopeo failed without a reason", help ? ": " : "",
		       help ? help : "");
	return !help;
}
