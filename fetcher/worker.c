/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/worker.h"

#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/fetching.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SPACE_LIMITED 0 /* the sanitizer's shadow alone is terabytes */
#else
#define ADDRESS_SPACE_LIMITED 1
#endif

#define CHILD_FILES_MAX 1024
#define JOB_BUFFER_MAX (256 * 1024) /* CONFIG_REPOSITORY and FETCH wait in the socket */

/* ---- in the new process ---- */

static void limit_set(int resource, uint64_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		_exit(1);
}

/*
 * Between fork and exec.
 * Should: leave nothing of the service but the socket and the program.
 * Mustn't: allocate or log.
 */
static _Noreturn void child_start(int exe_fd, int socket_fd, const struct fetch_limits *limits,
				  pid_t service, char *const *argv, char *const *envp)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;
	int exe;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != service)
		_exit(1);
	if (ADDRESS_SPACE_LIMITED)
		limit_set(RLIMIT_AS, FETCH_MEMORY_MAX);
	limit_set(RLIMIT_CPU, limits->timeout_sec + 1);
	limit_set(RLIMIT_FSIZE, limits->pack > limits->blob ? limits->pack : limits->blob);
	limit_set(RLIMIT_NOFILE, CHILD_FILES_MAX);
	(void)sigaction(SIGXFSZ, &ignore, NULL); /* EFBIG says more than a signal */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* out of the way of descriptor 3 */
	exe = fcntl(exe_fd, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
	if (exe < 0 || (socket_fd == CHANNEL_FD ? fcntl(socket_fd, F_SETFD, 0)
						: dup2(socket_fd, CHANNEL_FD)) < 0)
		_exit(1);
	(void)syscall(SYS_execveat, exe, "", argv, envp, AT_EMPTY_PATH);
	_exit(1);
}

/* ---- in the service ---- */

static void worker_kill(const struct worker *worker)
{
	if (kill(-worker->pid, SIGKILL) < 0) /* not yet a group of its own */
		(void)kill(worker->pid, SIGKILL);
}

static void worker_describe_end(struct worker *worker, int status)
{
	struct fetch_result *result = &worker->result;

	if (worker->late)
		(void)fetch_fail(
			result, FETCH_UNREACHABLE,
			"the fetch took longer than %" PRIu64 " s and was stopped; check "
			"that the remote answers, or fetch from a nearer or smaller mirror",
			worker->timeout_sec);
	else if (WIFSIGNALED(status))
		(void)fetch_fail(
			result, FETCH_UNREACHABLE,
			"the fetching process died of signal %d (%s); see the log for what "
			"did it, then retry",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)fetch_fail(result, FETCH_UNREACHABLE,
				 "the fetching process ended with %d and no answer; see the log",
				 WEXITSTATUS(status));
}

static void worker_end(struct worker *worker)
{
	int status = 0;

	loop_timer_cancel(&worker->deadline);
	loop_remove(&worker->socket_file);
	loop_remove(&worker->exit_file);
	(void)kill(-worker->pid, SIGKILL); /* whatever it might have started */
	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(worker->socket_fd);
	(void)close(worker->pid_fd);
	worker->socket_fd = worker->pid_fd = -1;
	worker->pid = 0;
	worker->killed = !worker->answered && !worker->late && WIFSIGNALED(status) &&
			 WTERMSIG(status) == SIGKILL;
	if (!worker->answered)
		worker_describe_end(worker, status);
	worker->done(worker);
}

static int pruned_take(const struct message_mirror_pruned *pruned, struct fetch_result *ret_result)
{
	struct fetch_result result = {.freed = pruned->freed};

	result.branches_known = pruned->branches >= 0;
	result.branches_fd = pruned->branches;
	result.outcome = *pruned->error ? FETCH_UNREACHABLE : FETCH_OK;
	text_first_line(result.error.text, sizeof(result.error.text), pruned->error,
			strlen(pruned->error));
	*ret_result = result;
	return 0;
}

static int pruned_read(struct message *message, struct fetch_result *ret_result)
{
	struct message_mirror_pruned pruned;
	int r = MESSAGE_GET(message, mirror_pruned, &pruned);

	if (r < 0)
		return r;
	pruned.branches = message_take_fd(message, pruned.branches);
	return pruned_take(&pruned, ret_result);
}

static int removed_read(struct message *message, struct fetch_result *ret_result)
{
	struct message_tree_removed removed;
	int r = MESSAGE_GET(message, tree_removed, &removed);

	if (r < 0)
		return r;
	return pruned_take(&(const struct message_mirror_pruned){.freed = removed.freed,
								 .error = removed.error,
								 .branches = -1},
			   ret_result);
}

/* Could a child that works as it should say this? */
static bool fetched_valid(const struct message_fetched *fetched)
{
	bool ok = fetched->outcome == FETCH_OK;

	if ((fetched->paths >= 0 && !ok) ||
	    (*fetched->default_branch && !ref_name_valid(fetched->default_branch)))
		return false;
	if (!text_line_valid(fetched->title) || !text_line_valid(fetched->author))
		return false;
	if (ok ? !commit_valid(fetched->commit)
	       : *fetched->commit || *fetched->view || !*fetched->error)
		return false;
	if ((*fetched->view && !commit_valid(fetched->view)) ||
	    (fetched->view_objects && !*fetched->view))
		return false;
	/* the runbook is for the service to find */
	return fetched->runbook < 0 && !*fetched->misnamed;
}

static int fetched_read(struct message *message, struct fetch_result *ret_result)
{
	struct fetch_result result = {.outcome = FETCH_OK};
	struct message_fetched fetched;
	int r = MESSAGE_GET(message, fetched, &fetched);

	if (r < 0)
		return r;
	if (!fetched_valid(&fetched))
		return -EBADMSG;
	result.outcome = fetched.outcome;
	memcpy(result.commit, fetched.commit, strlen(fetched.commit) + 1);
	memcpy(result.title, fetched.title, strlen(fetched.title) + 1);
	memcpy(result.author, fetched.author, strlen(fetched.author) + 1);
	memcpy(result.default_branch, fetched.default_branch, strlen(fetched.default_branch) + 1);
	memcpy(result.view, fetched.view, strlen(fetched.view) + 1);
	result.view_objects = fetched.view_objects;
	text_first_line(result.error.text, sizeof(result.error.text), fetched.error,
			strlen(fetched.error));
	result.paths_known = fetched.paths >= 0;
	result.paths_fd = message_take_fd(message, fetched.paths);
	*ret_result = result;
	return 0;
}

int worker_result_read(struct message *message, struct fetch_result *ret_result)
{
	switch (message->type) {
	case MESSAGE_FETCHED:
		return fetched_read(message, ret_result);
	case MESSAGE_TREE_REMOVED:
		return removed_read(message, ret_result);
	default:
		return pruned_read(message, ret_result);
	}
}

static void on_answer(struct loop_file *file, uint32_t events)
{
	struct worker *worker = container_of(file, struct worker, socket_file);
	cleanup_message struct message *message = NULL;
	int r = message_receive(worker->socket_fd, &message);

	loop_remove(file); /* one answer; the end comes by the pidfd */
	if (r == 0)
		return;
	if (r < 0 || message->type != worker->answer ||
	    worker_result_read(message, &worker->result) < 0) {
		log_error("a fetching process sent a malformed answer: it is killed");
		worker_kill(worker);
		return;
	}
	worker->answered = true;
}

static void on_exit_event(struct loop_file *file, uint32_t events)
{
	struct worker *worker = container_of(file, struct worker, exit_file);

	/* the answer may wait behind this event */
	if (worker->socket_file.loop)
		on_answer(&worker->socket_file, EPOLLIN);
	worker_end(worker);
}

static void on_deadline(struct loop_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, deadline);

	worker->late = !worker->answered;
	worker_kill(worker);
}

static pid_t worker_fork(const struct service_setup *setup, int socket_fd)
{
	const struct fetch_limits *limits = setup->limits;
	char numbers[5][64];
	const char *root = *setup->paths->root ? setup->paths->root : "/";
	const char *level = getenv("RUNBOOK_LOG_LEVEL");
	char level_text[64] = "RUNBOOK_LOG_LEVEL=info";
	char *argv[] = {(char *)"runbook-fetcher",
			(char *)"--child",
			(char *)"--root",
			(char *)root,
			numbers[0],
			numbers[1],
			numbers[2],
			numbers[3],
			numbers[4],
			NULL};
	/* nothing of our environment: GIT_*, SSL_*, LD_* could come from anywhere */
	char *envp[] = {level_text, (char *)"RUNBOOK_LOG_TARGET=stderr", (char *)"LANG=C.UTF-8",
			NULL};
	pid_t service = getpid();
	pid_t pid;

	if (level)
		(void)snprintf(level_text, sizeof(level_text), "RUNBOOK_LOG_LEVEL=%s", level);
	(void)snprintf(numbers[0], 64, "--timeout=%" PRIu64, limits->timeout_sec);
	(void)snprintf(numbers[1], 64, "--pack-max=%" PRIu64, limits->pack);
	(void)snprintf(numbers[2], 64, "--file-max=%" PRIu64, limits->blob);
	(void)snprintf(numbers[3], 64, "--tree-max=%" PRIu64, limits->tree);
	(void)snprintf(numbers[4], 64, "--entries-max=%" PRIu64, limits->tree_entries);
	pid = fork();
	if (pid == 0)
		child_start(setup->exe_fd, socket_fd, limits, service, argv, envp);
	return pid < 0 ? -errno : pid;
}

static int job_send(int fd, const struct repository *repository, struct message *job)
{
	struct message *config = NULL;
	int r;

	if (repository) {
		config = repository_write(repository);
		if (!config) {
			(void)message_free(job);
			return -ENOMEM;
		}
		r = message_transmit(fd, config);
		if (r < 0) {
			(void)message_free(job);
			return r;
		}
	}
	return message_transmit(fd, job);
}

/* The sockets, and the job already in them before there is a child. */
static int worker_sockets(struct worker *worker, const struct repository *repository,
			  struct message *job, int *ret_child_fd)
{
	int fds[2];
	int size = JOB_BUFFER_MAX;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		(void)message_free(job);
		return r;
	}
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = job_send(fds[0], repository, job);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	worker->socket_fd = fds[0];
	*ret_child_fd = fds[1];
	return 0;
}

static enum message_type answer_to(enum message_type job)
{
	switch (job) {
	case MESSAGE_TREE_REMOVE:
		return MESSAGE_TREE_REMOVED;
	case MESSAGE_MIRROR_PRUNE:
		return MESSAGE_MIRROR_PRUNED;
	default:
		return MESSAGE_FETCHED;
	}
}

int worker_start(struct worker *worker, struct loop *loop, const struct service_setup *setup,
		 const struct repository *repository, struct message *job, worker_done_fn done,
		 struct error *error)
{
	cleanup_close int child_fd = -1;
	int r;

	*worker = WORKER_NULL;
	worker->done = done;
	worker->answer = answer_to(job->type);
	worker->timeout_sec = setup->limits->timeout_sec;
	r = worker_sockets(worker, repository, job, &child_fd);
	if (r < 0)
		return error_errno(error, -r, "cannot hand over the fetch");
	worker->pid = worker_fork(setup, child_fd);
	if (worker->pid < 0) {
		r = worker->pid;
	} else {
		worker->pid_fd = (int)syscall(SYS_pidfd_open, worker->pid, 0);
		r = worker->pid_fd < 0 ? -errno : fcntl(worker->pid_fd, F_SETFD, FD_CLOEXEC);
	}
	if (r == 0)
		r = loop_add(loop, &worker->exit_file, worker->pid_fd, EPOLLIN, on_exit_event);
	if (r == 0)
		r = loop_add(loop, &worker->socket_file, worker->socket_fd, EPOLLIN, on_answer);
	if (r == 0)
		r = loop_timer_set(loop, &worker->deadline,
				   now_usec() + worker->timeout_sec * USEC_PER_SEC, on_deadline);
	if (r == 0)
		return 0;
	loop_remove(&worker->socket_file);
	loop_remove(&worker->exit_file);
	if (worker->pid > 0) {
		worker_kill(worker);
		(void)waitpid(worker->pid, NULL, 0);
	}
	if (worker->pid_fd >= 0)
		(void)close(worker->pid_fd);
	(void)close(worker->socket_fd);
	*worker = WORKER_NULL;
	return error_errno(error, -r, "cannot start a fetching process");
}
